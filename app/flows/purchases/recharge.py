"""Recharge: buying credits, in short transactions with calls to the provider between them.

The steps: store the purchase as PENDING; make and finalize its invoice; allow the payment if the spend limit does; charge the card;
apply the outcome. Every call carries an idempotency key of its own, and every id that comes back is stored at once, so that the
reconciler can finish what a crash interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Final, Protocol
from uuid import UUID

import structlog

from app import idempotency
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.workspaces.phone_verification import require_phone
from app.billing.payments import card_mirror
from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.payments.payment_errors import (
    EarlierPurchasePaid,
    PaymentRefused,
    PaymentUnavailable,
)
from app.billing.payments.workspace_closing import require_open
from app.billing.purchases import credit_movements, orders, purchase_states, spend_limits
from app.billing.purchases.orders import Order
from app.billing.purchases.purchase_states import PurchaseOvertaken
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus
from app.db.unit_of_work import transact
from app.errors import DomainError, IdempotencyConflict, InvalidInput
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import try_to_sync_cards
from app.flows.provider.customers import ensure_customer, forget_customer
from app.flows.provider.tax_country import tax_country
from app.flows.purchases.checkout import REFUSED, UNAVAILABLE, give_up, open_checkout
from app.flows.purchases.invoice_lines import send_line
from app.flows.purchases.payment_outcome import apply_payment_outcome, end_refused_payment
from app.flows.purchases.recharge_results import RechargeResult, result_of
from app.flows.purchases.reconcile import find_paid, look, reconcile_purchase
from app.money import Money
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable, MissingObject
from app.payments.gateway_values import InvoiceStatus, ProviderInvoice, ReturnUrls
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_REPLAY_WAITS_SECONDS: Final = 20.0
_REPLAY_POLLS_EVERY_SECONDS: Final = 0.1
_CUSTOMER_GONE: Final = "The card was deleted at the payment provider; nothing was charged."


@dataclass(frozen=True, slots=True)
class RechargeRequest:
    """A request to buy credits, as it was written: nothing of it has been judged.

    Exactly one of `pack_code` and `amount` (whole units of the currency) has to be given; no card means the default. `return_urls`
    judges the addresses to come back to, which only a new purchase needs. `actor` is who asked, for the audit log.
    """

    workspace_id: UUID
    pack_code: str | None
    amount: Decimal | None
    card_id: UUID | None
    idempotency_key: str
    return_urls: Callable[[], ReturnUrls]
    actor: Actor


Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]
Count = Callable[[Session], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _BegunRecharge:
    """`customer_id` is whose cards the purchase was begun with."""

    purchase: CreditPurchaseRow
    is_new: bool
    customer_id: str | None


class _Begin(Protocol):
    """The transaction that begins a purchase, or finds the one that its key began."""

    async def __call__(self, session: Session, *, without_card: bool) -> _BegunRecharge: ...


class _CustomerGone(Exception):
    """The customer was deleted at the provider, with the cards; the purchase was given up, and nothing was charged."""


async def recharge(
    context: FlowContext, request: RechargeRequest, authorize: Authorize, count: Count
) -> RechargeResult:
    """Buy credits with a card on file, or, without one, open a page to pay on.

    The caller was authorized; `authorize` checks it again on locked rows, in the transaction that begins the purchase, and `count`
    counts the purchase there. A key that is known answers before anything else is judged. Raises `InvalidInput`, `PhoneUnverified`,
    `SpendLimitReached`, `BalanceFull`, `IdempotencyConflict`, `BillingAddressRequired`, `PaymentUnavailable`, `PaymentRefused` and
    what `count` raises;
    nothing was bought then. A decline, a confirmation that the bank wants, a page to pay on and a payment under way are returned
    as the error beside the purchase. Raises `EarlierPurchasePaid` instead of charging somebody who has paid and was not told.
    """
    async with context.database.read() as session:
        earlier = await _earlier(session, request)
    if earlier is not None:
        return await _answer_again(context, earlier)
    order = orders.order(context.catalog, pack_code=request.pack_code, amount=request.amount)
    urls = request.return_urls()
    if await find_paid(context, request.workspace_id):
        raise EarlierPurchasePaid
    await _require_country(context, request.workspace_id)

    async def begin(session: Session, *, without_card: bool) -> _BegunRecharge:
        access = await authorize(session)
        return await _begin(session, context.catalog, request, order, access, count, without_card=without_card)

    try:
        return await _recharge(context, begin, order, request.workspace_id, urls)
    except _CustomerGone:
        pass
    try:
        # the cards are known to be gone by now, and the key is free: this ends in a page to pay on
        return await _recharge(context, begin, order, request.workspace_id, urls)
    except _CustomerGone as gone:
        raise PaymentUnavailable from gone


async def _require_country(context: FlowContext, workspace_id: UUID) -> None:
    """Raise `BillingAddressRequired` where the tax depends on a country that is not known: before anything is begun."""
    try:
        await tax_country(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error


async def _recharge(
    context: FlowContext, begin: _Begin, order: Order, workspace_id: UUID, urls: ReturnUrls
) -> RechargeResult:
    try:
        begun = await transact(context.database, partial(begin, without_card=False), step="recharge.begin")
    except PaymentMethodRequired:
        # The event of a card that was saved a moment ago may not have come yet: ask the provider before deciding there is none.
        await try_to_sync_cards(context, workspace_id)
        begun = await transact(context.database, partial(begin, without_card=True), step="recharge.begin")
    if not begun.is_new:
        return await _answer_again(context, begun.purchase)
    if begun.purchase.card_id is None:
        return await result_of(context, await open_checkout(context, begun.purchase, order, urls))
    return await result_of(context, await _charge_card(context, begun, order))


async def _earlier(session: Session, request: RechargeRequest) -> CreditPurchaseRow | None:
    """The purchase that the request's key began; raises `IdempotencyConflict` where the key was used with another input."""
    earlier = await purchase_store.with_key(session, request.workspace_id, request.idempotency_key)
    if earlier is not None and not _is_same_input(request, earlier):
        raise IdempotencyConflict(path=("input", "idempotencyKey"))
    return earlier


def _is_same_input(request: RechargeRequest, earlier: CreditPurchaseRow) -> bool:
    try:
        # the same amount is the same input however many zeros it was written with
        amount_minor = Money.of(request.amount, earlier.currency).minor if request.amount is not None else None
    except InvalidInput:
        return False
    return earlier.input_hash == idempotency.input_hash(request.pack_code, amount_minor, request.card_id)


async def _answer_again(context: FlowContext, earlier: CreditPurchaseRow) -> RechargeResult:
    context.database.fault("recharge.asked-again")
    if purchase_states.may_have_been_paid(earlier, context.database.clock.now()):
        present = await look(context, earlier)
    else:
        present = await look(context, await _wait_for_earlier_call(context, earlier))
    return replace(await result_of(context, present), is_replay=True)


async def _begin(
    session: Session,
    catalog: Catalog,
    request: RechargeRequest,
    order: Order,
    access: WorkspaceAccess,
    count: Count,
    *,
    without_card: bool,
) -> _BegunRecharge:
    workspace = access.workspace
    account = await billing_account_store.lock(session, workspace.id)
    earlier = await _earlier(session, request)
    if earlier is not None:
        return _BegunRecharge(earlier, False, account.customer_id)
    require_open(account)
    if catalog.phone_required:
        await require_phone(session, workspace.id)
    # before the provider is asked for cards, and undone with everything else where the purchase is refused
    await count(session)
    card_id = await _card_to_charge(session, workspace.id, request.card_id, without_card=without_card)
    await credit_movements.require_room(session, workspace.id, order.credits)
    if card_id is not None:
        # A page to pay on replaces the one open before, so for a page the limit is checked once that one is closed.
        await spend_limits.check_spend_limit(session, catalog, account, order.price.minor)
    purchase = await purchase_states.begin(
        session,
        workspace.id,
        order,
        card_id=card_id,
        key=request.idempotency_key,
        key_hash=idempotency.input_hash(
            request.pack_code, order.price.minor if order.pack_code is None else None, request.card_id
        ),
        is_auto=False,
        actor=request.actor,
    )
    return _BegunRecharge(purchase, True, account.customer_id)


async def _card_to_charge(
    session: Session, workspace_id: UUID, named: UUID | None, *, without_card: bool
) -> str | None:
    try:
        return (await card_mirror.card_to_charge(session, workspace_id, named)).provider_id
    except PaymentMethodRequired:
        if without_card:
            return None
        raise


async def _charge_card(context: FlowContext, begun: _BegunRecharge, order: Order) -> CreditPurchaseRow:
    purchase = begun.purchase
    try:
        invoice = await _prepare_invoice(context, begun, order)
        await transact(
            context.database,
            lambda session: purchase_states.allow_payment(
                session, context.catalog, purchase.workspace_id, purchase.id, invoice
            ),
            step="recharge.admit",
        )
    except _CustomerGone:
        await give_up(context, purchase, reason=_CUSTOMER_GONE)
        raise
    except GatewayUnavailable as error:
        await give_up(context, purchase, reason=UNAVAILABLE)
        raise PaymentUnavailable from error
    except GatewayRefused as error:
        await give_up(context, purchase, reason=REFUSED)
        _log.warning("recharge.refused", purchase=str(purchase.id), reason=str(error))
        raise PaymentRefused from error
    except DomainError as error:
        await give_up(context, purchase, reason=error.message)
        with contextlib.suppress(GatewayUnavailable, GatewayRefused):
            # the invoice had to be finalized to learn the total, for the limits, and must not stay open
            await reconcile_purchase(context, purchase.workspace_id, purchase.id)
        raise
    except PurchaseOvertaken as error:
        raise PaymentUnavailable from error
    try:
        if invoice.status is not InvoiceStatus.PAID:
            invoice = await context.gateway.pay_invoice(
                invoice.id,
                card_id=purchase.card_id or "",
                off_session=purchase.is_auto_recharge,
                key=f"{purchase.id}:pay",
            )
    except GatewayRefused as error:
        _log.info("recharge.card_refused", purchase=str(purchase.id), reason=str(error))
        return await _end_refused(context, purchase, invoice.id)
    except GatewayUnavailable:
        # Only the provider knows whether the card was charged: the purchase stays unfinished until the reconciler checks it.
        return await _read(context, purchase)
    try:
        return await apply_payment_outcome(context, purchase, invoice)
    except (GatewayUnavailable, GatewayRefused):
        return await _read(context, purchase)


async def _end_refused(context: FlowContext, purchase: CreditPurchaseRow, invoice_id: str) -> CreditPurchaseRow:
    """End a purchase whose payment was refused, and look at the cards: most likely this one is no longer on file."""
    try:
        ended = await end_refused_payment(context, purchase, invoice_id)
    except (GatewayUnavailable, GatewayRefused):
        ended = await _read(context, purchase)
    await try_to_sync_cards(context, purchase.workspace_id)
    return ended


async def _prepare_invoice(context: FlowContext, begun: _BegunRecharge, order: Order) -> ProviderInvoice:
    """Make the purchase's invoice and finalize it; nothing is charged yet. Raises `_CustomerGone`."""
    workspace_id = begun.purchase.workspace_id
    customer_id = await ensure_customer(context, workspace_id)
    if customer_id != begun.customer_id:
        raise _CustomerGone
    try:
        return await _make_invoice(context, begun.purchase, order, customer_id)
    except GatewayMissing as missing:
        if missing.kind is not MissingObject.CUSTOMER:
            raise
        await forget_customer(context, workspace_id, customer_id)
        raise _CustomerGone from missing


async def _make_invoice(
    context: FlowContext, purchase: CreditPurchaseRow, order: Order, customer_id: str
) -> ProviderInvoice:
    invoice_id = await context.gateway.create_invoice(
        customer_id,
        currency=order.price.currency,
        metadata={"purchase_id": str(purchase.id), "workspace_id": str(purchase.workspace_id)},
        key=f"{purchase.id}:invoice",
    )

    async def save(session: Session) -> None:
        row = await purchase_store.lock(session, purchase.workspace_id, purchase.id)
        row.invoice_id = invoice_id

    await transact(context.database, save, step="recharge.save_invoice")
    await send_line(
        context,
        purchase.workspace_id,
        order,
        lambda charge, key: context.gateway.add_charge(customer_id, invoice_id, charge, key=key),
        key=f"{purchase.id}:line",
    )
    return await context.gateway.finalize_invoice(invoice_id, key=f"{purchase.id}:finalize")


async def _read(context: FlowContext, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    async with context.database.read() as session:
        return await purchase_store.find(session, purchase.workspace_id, purchase.id) or purchase


async def _wait_for_earlier_call(context: FlowContext, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    """For a replay: wait until the call that began the purchase has finished it, for `_REPLAY_WAITS_SECONDS` at most."""
    ends_at = asyncio.get_running_loop().time() + _REPLAY_WAITS_SECONDS
    while (
        purchase.status == PurchaseStatus.PENDING
        and purchase.checkout_url is None
        and asyncio.get_running_loop().time() < ends_at
    ):
        await asyncio.sleep(_REPLAY_POLLS_EVERY_SECONDS)
        purchase = await _read(context, purchase)
    return purchase
