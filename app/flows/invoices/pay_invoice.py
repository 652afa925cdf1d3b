"""Paying an open invoice with the default card."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments import card_mirror, invoice_mirror
from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.payments.payment_errors import PaymentPending, PaymentUnavailable
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions.billed_lines import mirror_invoice
from app.db.engine import Session
from app.db.tables.payments import InvoicePaymentRow, InvoiceRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import DomainError, IdempotencyConflict, NotFound, PaymentActionRequired, PaymentDeclined
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import try_to_sync_cards
from app.flows.purchases.payment_outcome import CARD_REFUSED, apply_payment_outcome
from app.idempotency import input_hash
from app.ids import uuid7
from app.money import Money
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.payments.gateway_values import InvoiceStatus, PaymentStatus, ProviderInvoice
from app.store import billing_accounts as billing_account_store
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store

_OF_A_FORMER_CUSTOMER: Final = (
    "The customer of this invoice was deleted at the payment provider: it can't be paid here."
)
_REPLAY_WAITS_SECONDS: Final = 20.0
_CHECK_FOR_SECONDS: Final = 2.0
_POLL_EVERY_SECONDS: Final = 0.1

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


class InvoiceNotPayable(DomainError):
    """This invoice is not open: there is nothing to pay."""

    code = ErrorCode.NO_CHANGE


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A request to pay an invoice; `actor` is who asked, for the audit log."""

    workspace_id: UUID
    invoice_id: UUID
    idempotency_key: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class InvoicePaid:
    """The invoice as it is now, and the error for the caller when it is not paid.

    With `is_replay` an earlier call with the same key tried to pay it.
    """

    invoice: InvoiceRow
    error: DomainError | None
    is_replay: bool


@dataclass(frozen=True, slots=True)
class _BegunPayment:
    invoice: InvoiceRow
    card_id: str
    payment: InvoicePaymentRow
    is_replay: bool


async def pay_invoice(
    context: FlowContext,
    request: PaymentRequest,
    authorize: Authorize,
    count: Callable[[Session], Awaitable[None]],
) -> InvoicePaid:
    """Charge the default card for an open invoice; the same key never charges twice, nor do two keys.

    `count` counts a payment that is begun, in the transaction that begins it. Raises `NotFound`, `InvoiceNotPayable`,
    `PaymentMethodRequired`, `IdempotencyConflict`, `PaymentUnavailable`, and what `count` raises.
    """

    async def begin(session: Session) -> _BegunPayment:
        await authorize(session)
        return await _begin(session, request, count)

    try:
        begun = await transact(context.database, begin, step="pay_invoice.begin")
    except PaymentMethodRequired:
        # the event of a card that was saved a moment ago may not have come yet
        await try_to_sync_cards(context, request.workspace_id)
        begun = await transact(context.database, begin, step="pay_invoice.begin")
    was_refused = False
    try:
        paid = await _pay_again(context, begun) if begun.is_replay else await _pay_first_time(context, begun)
    except GatewayRefused:
        # another payment of it was faster, or this card can't be charged any more: the invoice's present status decides
        was_refused = True
        paid = await _ask_provider(context, begun.invoice.provider_id)
        # forgets a customer that is gone
        await try_to_sync_cards(context, request.workspace_id)
        if paid is not None and paid.status is InvoiceStatus.OPEN:
            await _require_present_customer(context, request.workspace_id, paid)
    except GatewayUnavailable:
        # only the provider knows whether the card was charged: its event, or a retry with this key, will tell
        return InvoicePaid(begun.invoice, PaymentPending(), begun.is_replay)
    if paid is None:
        await transact(context.database, lambda session: _call_off(session, begun.invoice), step="pay_invoice.call_off")
        raise InvoiceNotPayable
    return InvoicePaid(await _mirror(context, begun.invoice, paid), _error_for(paid, was_refused), begun.is_replay)


async def _pay_first_time(context: FlowContext, begun: _BegunPayment) -> ProviderInvoice:
    """Pay for the first time with this key. Without an answer, see for a moment whether a replay was faster."""
    try:
        return await _pay(context, begun)
    except GatewayUnavailable:
        ends_at = asyncio.get_running_loop().time() + _CHECK_FOR_SECONDS
        while asyncio.get_running_loop().time() < ends_at:
            with suppress(GatewayUnavailable):
                found = await context.gateway.invoice(begun.invoice.provider_id)
                if found is not None and found.status is not InvoiceStatus.OPEN:
                    return found
            await asyncio.sleep(_POLL_EVERY_SECONDS)
        raise


async def _pay_again(context: FlowContext, begun: _BegunPayment) -> ProviderInvoice | None:
    """For a replay: the result of the first call; raises `GatewayUnavailable` without one in `_REPLAY_WAITS_SECONDS`.

    The payment is sent again with the same key. The provider refuses a key that is in use, and answers one that was used with the
    first result, so nothing is charged twice.
    """
    if begun.invoice.status != InvoiceStatus.OPEN:
        return await context.gateway.invoice(begun.invoice.provider_id)
    ends_at = asyncio.get_running_loop().time() + _REPLAY_WAITS_SECONDS
    while True:
        try:
            return await _pay(context, begun)
        except GatewayUnavailable:
            if asyncio.get_running_loop().time() >= ends_at:
                raise
        await asyncio.sleep(_POLL_EVERY_SECONDS)


async def _pay(context: FlowContext, begun: _BegunPayment) -> ProviderInvoice:
    return await context.gateway.pay_invoice(
        begun.invoice.provider_id, card_id=begun.card_id, off_session=False, key=f"{begun.payment.id}:pay"
    )


async def _begin(
    session: Session, request: PaymentRequest, count: Callable[[Session], Awaitable[None]]
) -> _BegunPayment:
    workspace_id, invoice_id = request.workspace_id, request.invoice_id
    account = await billing_account_store.lock(session, workspace_id)
    invoice = await invoice_store.find(session, workspace_id, invoice_id)
    if invoice is None:
        raise NotFound
    key_hash = input_hash(invoice_id)
    payment = await invoice_store.payment_with_key(session, workspace_id, request.idempotency_key)
    if payment is not None:
        if payment.input_hash != key_hash:
            raise IdempotencyConflict(path=("input", "idempotencyKey"))
        return _BegunPayment(invoice, payment.card_id, payment, True)
    require_open(account)
    if invoice.status != InvoiceStatus.OPEN:
        raise InvoiceNotPayable
    await count(session)
    card = await card_mirror.card_to_charge(session, workspace_id, None)
    payment = InvoicePaymentRow(
        workspace_id=workspace_id,
        idempotency_key=request.idempotency_key,
        id=uuid7(),
        invoice_id=invoice_id,
        card_id=card.provider_id,
        input_hash=key_hash,
        created_at=session.now,
    )
    session.add(payment)
    due = Money(invoice_mirror.due_minor(invoice), invoice.currency)
    after = {"invoice": str(invoice_id), "amount": str(due)}
    summary = "Payment of an invoice was asked for."
    await audit_log.record(session, workspace_id, request.actor, "invoice.payment_requested", summary, after=after)
    return _BegunPayment(invoice, card.provider_id, payment, False)


async def _call_off(session: Session, invoice: InvoiceRow) -> None:
    await billing_account_store.lock(session, invoice.workspace_id)
    await invoice_mirror.call_off(session, invoice.provider_id)


async def _require_present_customer(context: FlowContext, workspace_id: UUID, invoice: ProviderInvoice) -> None:
    """Raise `InvoiceNotPayable` for an invoice of a customer who was deleted at the provider, with the cards."""
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
    if account is None or account.customer_id != invoice.customer_id:
        raise InvoiceNotPayable(_OF_A_FORMER_CUSTOMER)


async def _ask_provider(context: FlowContext, provider_id: str) -> ProviderInvoice | None:
    try:
        return await context.gateway.invoice(provider_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error


async def _mirror(context: FlowContext, invoice: InvoiceRow, paid: ProviderInvoice) -> InvoiceRow:
    if invoice.purchase_id is not None:
        async with context.database.read() as session:
            purchase = await purchase_store.find(session, invoice.workspace_id, invoice.purchase_id)
        if purchase is not None and purchase.pay_sent_at is not None:
            await apply_payment_outcome(context, purchase, paid)
    return await transact(
        context.database,
        lambda session: mirror_invoice(session, context.catalog, invoice.workspace_id, paid),
        step="invoice.mirror",
    )


def _error_for(invoice: ProviderInvoice, was_refused: bool) -> DomainError | None:
    """The error for the caller that follows from the invoice's state; None once it is paid.

    With `was_refused` the provider refused to charge the card at all.
    """
    attempt = invoice.attempt
    if invoice.status is InvoiceStatus.PAID:
        return None
    if attempt.status is PaymentStatus.ACTION_REQUIRED and attempt.client_secret is not None:
        return PaymentActionRequired(client_secret=attempt.client_secret, hosted_url=attempt.action_url)
    # with an invoice that is called off its payment is canceled: no card was declined then
    is_canceled = attempt.status is PaymentStatus.CANCELED and invoice.status is InvoiceStatus.OPEN
    if attempt.status is PaymentStatus.DECLINED or is_canceled:
        return PaymentDeclined(attempt.decline_message or "The card was declined.", decline_code=attempt.decline_code)
    if invoice.status is InvoiceStatus.OPEN and was_refused and attempt.status is PaymentStatus.NOT_ATTEMPTED:
        return PaymentDeclined(CARD_REFUSED, decline_code=None)
    if invoice.status is InvoiceStatus.OPEN:
        return PaymentPending()
    return InvoiceNotPayable()
