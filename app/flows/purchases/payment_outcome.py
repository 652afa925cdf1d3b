"""Applies the outcome of a payment to its purchase. Recharges, the provider's events and the reconciler all end here."""

from __future__ import annotations

from uuid import UUID

import structlog

from app.billing.purchases import purchase_states
from app.db.engine import Session
from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus
from app.db.unit_of_work import transact
from app.errors import DomainError, ProtocolError
from app.flows.flow_context import FlowContext
from app.flows.purchases.refunds import refund_late_payment
from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import InvoiceStatus, PaymentStatus, ProviderInvoice
from app.store import purchases as purchase_store

NOT_COMPLETED = "The payment was not completed; nothing was charged."
CARD_REFUSED = "This card can't be charged any more; nothing was charged. Choose another one."

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DECLINED = "The card was declined."
_EXPIRED = "The payment was not confirmed in time."
_GIVEN_UP = "The seller gave the invoice up; nothing was charged."
_CALLED_OFF = (InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE)


async def apply_payment_outcome(
    context: FlowContext, purchase: CreditPurchaseRow, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """Bring a purchase whose payment was sent into the state that follows from its invoice, which was just fetched.

    Safe to run twice, concurrently, and in any order. Raises `GatewayUnavailable` when the invoice of a failed payment can't be
    voided now; the purchase then stays unfinished, and the reconciler checks it again.
    """
    key = (purchase.workspace_id, purchase.id)
    attempt = invoice.attempt
    if invoice.status is InvoiceStatus.PAID:
        return await _succeed(context, purchase, invoice)
    if attempt.status is PaymentStatus.PROCESSING and invoice.status is not InvoiceStatus.VOID:
        return await check_later(context, *key)
    is_open = invoice.status is InvoiceStatus.OPEN
    if is_open and attempt.status is PaymentStatus.ACTION_REQUIRED and not has_expired(context, purchase):
        return await transact(
            context.database,
            lambda session: purchase_states.await_confirmation(session, *key, invoice),
            step="purchase.await",
        )
    is_unattempted = is_open and attempt.status is PaymentStatus.NOT_ATTEMPTED
    if is_unattempted and not _is_stale(context, purchase):
        return await check_later(context, *key)
    return await void_and_fail(context, purchase, invoice)


async def end_refused_payment(context: FlowContext, purchase: CreditPurchaseRow, invoice_id: str) -> CreditPurchaseRow:
    """End a purchase whose payment the provider refused as it stands: nothing was charged, and nothing will be.

    Unless the invoice was paid, or is being paid, by somebody else: then its present state decides. Raises `GatewayUnavailable`.
    """
    invoice = await context.gateway.invoice(invoice_id)
    if invoice is None:
        return await fail_purchase(context, purchase, None, reason=CARD_REFUSED)
    if invoice.status is InvoiceStatus.OPEN and invoice.attempt.status is PaymentStatus.NOT_ATTEMPTED:
        return await void_and_fail(context, purchase, invoice, refused=CARD_REFUSED)
    return await apply_payment_outcome(context, purchase, invoice)


async def check_later(context: FlowContext, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow:
    """Leave a purchase as it is for now, and have the reconciler check it later: the outcome is unknown, or can't be fetched."""

    async def work(session: Session) -> CreditPurchaseRow:
        row = await purchase_store.lock(session, workspace_id, purchase_id)
        if row.next_check_at is not None:
            row.next_check_at = purchase_states.next_check(row, session.now)
        return row

    return await transact(context.database, work, step="purchase.look_later")


async def fail_purchase(
    context: FlowContext,
    purchase: CreditPurchaseRow,
    voided: ProviderInvoice | None,
    *,
    reason: str,
    decline_code: str | None = None,
    status: PurchaseStatus = PurchaseStatus.FAILED,
) -> CreditPurchaseRow:
    """Fail a purchase that can't be charged any more, with this final status; `voided` is its voided invoice, if it has one."""
    return await transact(
        context.database,
        lambda session: purchase_states.fail(
            session,
            purchase.workspace_id,
            purchase.id,
            voided,
            reason=reason,
            decline_code=decline_code,
            status=status,
        ),
        step="purchase.fail",
    )


def has_expired(context: FlowContext, purchase: CreditPurchaseRow) -> bool:
    """Whether the customer's time to confirm or to pay is over."""
    return context.database.clock.now() >= purchase.expires_at


async def _succeed(context: FlowContext, purchase: CreditPurchaseRow, invoice: ProviderInvoice) -> CreditPurchaseRow:
    key = (purchase.workspace_id, purchase.id)
    try:
        row = await transact(
            context.database, lambda session: purchase_states.succeed(session, *key, invoice), step="purchase.settle"
        )
    except (DomainError, ProtocolError) as refusal:
        # The money has moved and there will be no credits for it: whatever refuses them, it goes back.
        _log.warning("purchase.not_credited", purchase=str(purchase.id), reason=refusal.message)
        row = await transact(
            context.database,
            lambda session: purchase_states.refuse_credits(session, *key, invoice),
            step="purchase.refuse_credits",
        )
    # The purchase had ended before, and its buyer was told that nothing was charged: the late payment is refunded.
    return row if row.charged_at is not None else await refund_late_payment(context, row, invoice)


async def void_and_fail(
    context: FlowContext, purchase: CreditPurchaseRow, invoice: ProviderInvoice, *, refused: str | None = None
) -> CreditPurchaseRow:
    """Void the invoice of a payment that did not happen, so that it can't be paid later, and fail the purchase.

    `refused` says why, where the provider refused to charge anything.

    Where it was paid meanwhile, the purchase succeeds; where a payment is under way, the reconciler checks it later. An invoice
    that the seller marked as uncollectible can't be voided: the purchase fails all the same, and a payment that comes later is
    refunded. Raises `GatewayUnavailable`.
    """
    attempt = invoice.attempt
    try:
        voided = await context.gateway.discard_invoice(invoice.id)
    except GatewayRefused:
        # It was paid, is being paid, or was voided by another process meanwhile: its present status decides.
        voided = await context.gateway.invoice(invoice.id)
        if voided is not None and voided.status is InvoiceStatus.PAID:
            return await apply_payment_outcome(context, purchase, voided)
        if voided is not None and voided.status not in _CALLED_OFF:
            return await check_later(context, purchase.workspace_id, purchase.id)
    is_unconfirmed = attempt.status in (PaymentStatus.ACTION_REQUIRED, PaymentStatus.CANCELED)
    if is_unconfirmed and has_expired(context, purchase):
        return await fail_purchase(context, purchase, voided, reason=_EXPIRED, status=PurchaseStatus.EXPIRED)
    is_given_up = voided is not None and voided.status is InvoiceStatus.UNCOLLECTIBLE
    not_completed = _GIVEN_UP if is_given_up else refused or NOT_COMPLETED
    reason = attempt.decline_message or (_DECLINED if attempt.decline_code else not_completed)
    return await fail_purchase(context, purchase, voided, reason=reason, decline_code=attempt.decline_code)


def _is_stale(context: FlowContext, purchase: CreditPurchaseRow) -> bool:
    """Whether the call that charges the card was sent so long ago that it can't be under way any more."""
    sent = purchase.pay_sent_at
    return sent is not None and context.database.clock.now() >= sent + purchase_states.CHECK_AFTER
