"""What became of a purchase: the one way in which recharges, the provider's events and the reconciler bring it to its end."""

from __future__ import annotations

from uuid import UUID

from app.billing.purchases import purchase_states
from app.db.engine import Session
from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.purchases.refunds import refund_late_payment
from app.payments.gateway_values import GatewayRefused, InvoiceStatus, PaymentStatus, ProviderInvoice
from app.store import purchases as purchase_store

NOT_COMPLETED = "The payment was not completed; nothing was charged."

_DECLINED = "The card was declined."
_EXPIRED = "The payment was not confirmed in time."


async def apply_payment_outcome(
    context: FlowContext, purchase: CreditPurchaseRow, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """Bring a purchase whose payment was sent to where its invoice, just fetched, says it is.

    Safe to run twice, at once, and in any order. Raises `GatewayUnavailable` when the invoice of a failed payment can't be voided
    now; the purchase then stays unsettled and is looked at again.
    """
    where = (purchase.workspace_id, purchase.id)
    attempt = invoice.attempt
    if invoice.status is InvoiceStatus.PAID:
        return await _succeed(context, purchase, invoice)
    if attempt.status is PaymentStatus.ACTION_REQUIRED and not has_expired(context, purchase):
        return await transact(
            context.database,
            lambda session: purchase_states.await_confirmation(session, *where, invoice),
            step="purchase.await",
        )
    if invoice.status is InvoiceStatus.OPEN and attempt.status is PaymentStatus.PROCESSING:
        return await check_later(context, *where)
    is_unattempted = invoice.status is InvoiceStatus.OPEN and attempt.status is PaymentStatus.NOT_ATTEMPTED
    if is_unattempted and not _is_stale(context, purchase):
        return purchase
    return await void_and_fail(context, purchase, invoice)


async def check_later(context: FlowContext, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow:
    """Leave a purchase as it is for now: the provider can't say yet, or can't be reached."""

    async def work(session: Session) -> CreditPurchaseRow:
        row = await purchase_store.lock(session, workspace_id, purchase_id)
        if row.next_check_at is not None:
            row.next_check_at = session.now + purchase_states.CHECK_AFTER
        return row

    return await transact(context.database, work, step="purchase.look_later")


async def fail_purchase(
    context: FlowContext,
    purchase: CreditPurchaseRow,
    left: ProviderInvoice | None,
    *,
    reason: str,
    decline_code: str | None = None,
    status: PurchaseStatus = PurchaseStatus.FAILED,
) -> CreditPurchaseRow:
    """End a purchase that can't be charged any more; `left` is its voided invoice, if it ever had one."""
    return await transact(
        context.database,
        lambda session: purchase_states.fail(
            session,
            purchase.workspace_id,
            purchase.id,
            left,
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
    row = await transact(
        context.database,
        lambda session: purchase_states.succeed(session, purchase.workspace_id, purchase.id, invoice),
        step="purchase.settle",
    )
    # A purchase that had ended has not been charged in the eyes of whoever made it: what came after is given back.
    return row if row.charged_at is not None else await refund_late_payment(context, row, invoice)


async def void_and_fail(
    context: FlowContext, purchase: CreditPurchaseRow, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """Void the invoice of a payment that did not happen, so that it can't any more, and end the purchase.

    One that was paid meanwhile is settled, one whose payment is under way is left for later. Raises `GatewayUnavailable`.
    """
    attempt = invoice.attempt
    try:
        left = await context.gateway.discard_invoice(invoice.id)
    except GatewayRefused:
        # It was paid, is being paid, or was voided by another process while we looked: what it is now decides.
        left = await context.gateway.invoice(invoice.id)
        if left is not None and left.status is InvoiceStatus.PAID:
            return await apply_payment_outcome(context, purchase, left)
        if left is not None and left.status is not InvoiceStatus.VOID:
            return await check_later(context, purchase.workspace_id, purchase.id)
    lapsed = attempt.status in (PaymentStatus.ACTION_REQUIRED, PaymentStatus.CANCELED) and has_expired(
        context, purchase
    )
    if lapsed:
        return await fail_purchase(context, purchase, left, reason=_EXPIRED, status=PurchaseStatus.EXPIRED)
    reason = attempt.decline_message or (_DECLINED if attempt.decline_code else NOT_COMPLETED)
    return await fail_purchase(context, purchase, left, reason=reason, decline_code=attempt.decline_code)


def _is_stale(context: FlowContext, purchase: CreditPurchaseRow) -> bool:
    """Whether the pay call was sent so long ago that it can't still be under way."""
    sent = purchase.pay_sent_at
    return sent is not None and context.database.clock.now() >= sent + purchase_states.CHECK_AFTER
