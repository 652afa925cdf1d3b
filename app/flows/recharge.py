"""Recharge: buying credits with a card on file, in short transactions with the provider's calls between them.

Written down as pending; invoice made and finalized; admitted under the spend limit; paid; settled. Every step's call carries
a key of its own and every id that comes back is saved at once, so that a crash leaves something the reconciler can finish.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from app.accounts.access import WorkspaceAccess
from app.accounts.phones import require_phone
from app.billing import cards, purchases
from app.billing.cards import PaymentMethodRequired
from app.billing.purchases import Order, PaymentPending, PaymentUnavailable, PurchaseOvertaken, SpendLimitReached
from app.db.engine import Session
from app.db.tables.payments import CreditPurchaseRow, PurchaseStatus
from app.db.unit_of_work import transact
from app.errors import DomainError, IdempotencyConflict, PaymentActionRequired, PaymentDeclined
from app.flows.cards import sync_cards
from app.flows.catalog_sync import tax_rate_key
from app.flows.customers import BilledParty, ensure_customer
from app.flows.desk import Desk
from app.flows.purchase_outcome import conclude
from app.payments.values import (
    Charge,
    GatewayRefused,
    GatewayUnavailable,
    InvoiceStatus,
    PaymentStatus,
    ProviderInvoice,
)
from app.store import billing_accounts, provider_events
from app.store import purchases as purchase_store

_REPLAY_WAITS_SECONDS: Final = 20.0
_REPLAY_LOOKS_EVERY_SECONDS: Final = 0.1
_UNAVAILABLE: Final = "The payment provider could not be reached; nothing was charged."


@dataclass(frozen=True, slots=True)
class RechargeRequest:
    """What was asked for: exactly one of `pack_code` and `amount` (whole units of the currency); no card means the default."""

    workspace_id: UUID
    pack_code: str | None
    amount: Decimal | None
    card_id: UUID | None
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class RechargeResult:
    """The purchase as it stands, and what the caller must be told when it has not succeeded."""

    purchase: CreditPurchaseRow
    error: DomainError | None


Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


@dataclass(frozen=True, slots=True)
class _Begun:
    purchase: CreditPurchaseRow
    is_new: bool
    party: BilledParty


async def recharge(desk: Desk, request: RechargeRequest, authorize: Authorize) -> RechargeResult:
    """Buy credits with a card on file.

    `authorize` checks, in the transaction and on locked rows, that the caller may. Raises what made no purchase: `InvalidInput`,
    `PhoneUnverified`, `PaymentMethodRequired`, `SpendLimitReached`, `IdempotencyConflict`, `PaymentUnavailable`. A decline, a
    wanted confirmation and a payment still under way come with the purchase.
    """
    order = purchases.order(desk.catalog, pack_code=request.pack_code, amount=request.amount)

    async def begin(session: Session) -> _Begun:
        return await _begin(session, desk, request, order, await authorize(session))

    try:
        begun = await transact(desk.database, begin, step="recharge.begin")
    except PaymentMethodRequired:
        # A card confirmed a moment ago may not have been reported yet: ask before saying there is none.
        await _sync_quietly(desk, request.workspace_id)
        begun = await transact(desk.database, begin, step="recharge.begin")
    if begun.is_new:
        return await _told(desk, await _carry_out(desk, begun, order))
    return await _told(desk, await _until_settled(desk, begun.purchase))


async def _begin(
    session: Session, desk: Desk, request: RechargeRequest, order: Order, access: WorkspaceAccess
) -> _Begun:
    workspace = access.workspace
    account = await billing_accounts.lock(session, workspace.id)
    party = BilledParty(workspace.id, workspace.name, await billing_accounts.contact_address(session, workspace.id))
    key_hash = purchases.input_hash(request.pack_code, request.amount, request.card_id)
    earlier = await purchase_store.with_key(session, workspace.id, request.idempotency_key)
    if earlier is not None:
        if earlier.input_hash != key_hash:
            raise IdempotencyConflict(path=("input", "idempotencyKey"))
        return _Begun(earlier, False, party)
    if desk.catalog.phone_required:
        await require_phone(session, workspace.id)
    await purchases.check_spend_limit(session, desk.catalog, account, order.price.minor)
    card = await cards.card_to_charge(session, workspace.id, request.card_id)
    purchase = await purchases.begin(
        session,
        workspace.id,
        order,
        card_id=card.provider_id,
        key=request.idempotency_key,
        key_hash=key_hash,
        is_auto=False,
    )
    return _Begun(purchase, True, party)


async def _carry_out(desk: Desk, begun: _Begun, order: Order) -> CreditPurchaseRow:
    purchase = begun.purchase
    try:
        invoice = await _prepare(desk, begun, order)
        await transact(
            desk.database,
            lambda session: purchases.admit(session, desk.catalog, purchase.workspace_id, purchase.id, invoice),
            step="recharge.admit",
        )
    except (GatewayUnavailable, GatewayRefused) as error:
        await _abandon(desk, purchase, reason=_UNAVAILABLE)
        raise PaymentUnavailable from error
    except SpendLimitReached as error:
        await _abandon(desk, purchase, reason=error.message)
        raise
    except PurchaseOvertaken as error:
        raise PaymentUnavailable from error
    try:
        if invoice.status is not InvoiceStatus.PAID:
            invoice = await desk.gateway.pay_invoice(
                invoice.id,
                card_id=purchase.card_id or "",
                off_session=purchase.is_auto_recharge,
                key=f"{purchase.id}:pay",
            )
        return await conclude(desk, purchase, invoice)
    except (GatewayUnavailable, GatewayRefused):
        # Whether the payment happened is the provider's to say: it stays unsettled, and is looked into.
        return await _read(desk, purchase)


async def _prepare(desk: Desk, begun: _Begun, order: Order) -> ProviderInvoice:
    """An invoice ready to be paid, with nothing charged yet."""
    purchase = begun.purchase
    charge = await _charge(desk, order)
    customer_id = await ensure_customer(desk, begun.party)
    invoice_id = await desk.gateway.create_invoice(
        customer_id,
        currency=order.price.currency,
        metadata={"purchase_id": str(purchase.id), "workspace_id": str(purchase.workspace_id)},
        key=f"{purchase.id}:invoice",
    )

    async def save(session: Session) -> None:
        row = await purchase_store.lock(session, purchase.workspace_id, purchase.id)
        row.invoice_id = invoice_id

    await transact(desk.database, save, step="recharge.save_invoice")
    await desk.gateway.add_charge(customer_id, invoice_id, charge, key=f"{purchase.id}:line")
    return await desk.gateway.finalize_invoice(invoice_id, key=f"{purchase.id}:finalize")


async def _charge(desk: Desk, order: Order) -> Charge:
    rate = desk.catalog.tax.rate_for(None)
    keys = [
        key for key in (order.price_key, tax_rate_key(desk.catalog.code, rate) if rate else None) if key is not None
    ]
    async with desk.database.read() as session:
        ids = await provider_events.provider_ids(session, keys)
    if len(ids) < len(keys):
        raise GatewayRefused("the catalog has not been synced to the provider: run `counterfoil catalog sync`")
    return Charge(
        description=order.description,
        price=order.price,
        product_id=order.product_id,
        price_id=ids[order.price_key] if order.price_key is not None else None,
        tax_rate_ids=(ids[keys[-1]],) if rate else (),
        price_includes_tax=desk.catalog.prices_include_tax,
    )


async def _abandon(desk: Desk, purchase: CreditPurchaseRow, *, reason: str) -> None:
    async def work(session: Session) -> None:
        await billing_accounts.lock(session, purchase.workspace_id)
        await purchases.abandon(session, purchase.workspace_id, purchase.id, reason=reason)

    await transact(desk.database, work, step="recharge.abandon")


async def _sync_quietly(desk: Desk, workspace_id: UUID) -> None:
    with contextlib.suppress(GatewayUnavailable, GatewayRefused):
        await sync_cards(desk, workspace_id)


async def _read(desk: Desk, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    async with desk.database.read() as session:
        return await purchase_store.find(session, purchase.workspace_id, purchase.id) or purchase


async def _until_settled(desk: Desk, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    """The purchase of a replay, once the caller who began it is through, or as it stands after 20 seconds."""
    ends_at = asyncio.get_running_loop().time() + _REPLAY_WAITS_SECONDS
    while purchase.status == PurchaseStatus.PENDING and asyncio.get_running_loop().time() < ends_at:
        await asyncio.sleep(_REPLAY_LOOKS_EVERY_SECONDS)
        purchase = await _read(desk, purchase)
    return purchase


async def _told(desk: Desk, purchase: CreditPurchaseRow) -> RechargeResult:
    """The purchase with what its status means to the caller."""
    if purchase.status == PurchaseStatus.PENDING:
        return RechargeResult(purchase, PaymentPending())
    if purchase.status == PurchaseStatus.ACTION_REQUIRED:
        return RechargeResult(purchase, await _wanted_confirmation(desk, purchase))
    if purchase.status in (PurchaseStatus.FAILED, PurchaseStatus.EXPIRED):
        if purchase.idempotency_key is None:
            raise PaymentUnavailable
        reason = purchase.failure or "The card was declined."
        return RechargeResult(purchase, PaymentDeclined(reason, decline_code=purchase.decline_code))
    return RechargeResult(purchase, None)


async def _wanted_confirmation(desk: Desk, purchase: CreditPurchaseRow) -> DomainError:
    """How to confirm: the secret is asked of the provider each time, so that it is stored nowhere."""
    try:
        invoice = await desk.gateway.invoice(purchase.invoice_id or "")
    except (GatewayUnavailable, GatewayRefused):
        return PaymentPending()
    if (
        invoice is None
        or invoice.attempt.status is not PaymentStatus.ACTION_REQUIRED
        or invoice.attempt.client_secret is None
    ):
        return PaymentPending()
    return PaymentActionRequired(client_secret=invoice.attempt.client_secret, hosted_url=invoice.attempt.action_url)
