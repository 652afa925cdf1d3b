"""Purchases that were under way with a customer who was deleted at the provider: each is brought to its end."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from app.db.tables.purchases import CreditPurchaseRow
from app.flows.flow_context import FlowContext
from app.flows.purchases.checkout import close_checkout
from app.flows.purchases.payment_outcome import apply_payment_outcome, void_and_fail
from app.payments.gateway_values import InvoiceStatus, PaymentStatus
from app.store import purchases as purchase_store

_GONE: Final = "The customer was deleted at the payment provider before this was paid."


async def end_purchases_with(context: FlowContext, workspace_id: UUID, customer_id: str) -> None:
    """End the workspace's unfinished purchases that would be paid by this former customer.

    What was paid is credited; otherwise pages are closed and invoices voided, so that nothing can be charged any more. A purchase
    whose payment was not sent is left to its caller, who makes a new customer, or to the reconciler. Safe to run twice. Raises
    `GatewayUnavailable`: then it is to be retried.
    """
    async with context.database.read() as session:
        purchases = await purchase_store.unfinished(session, workspace_id)
    for purchase in purchases:
        if purchase.checkout_session_id is not None:
            page = await context.gateway.checkout(purchase.checkout_session_id)
            if page.customer_id == customer_id:
                await close_checkout(context, purchase, reason=_GONE)
        elif purchase.invoice_id is not None and purchase.pay_sent_at is not None:
            await _end(context, purchase, purchase.invoice_id, customer_id)


async def _end(context: FlowContext, purchase: CreditPurchaseRow, invoice_id: str, customer_id: str) -> None:
    invoice = await context.gateway.invoice(invoice_id)
    if invoice is None or invoice.customer_id != customer_id:
        return
    if invoice.status is InvoiceStatus.PAID or invoice.attempt.status is PaymentStatus.PROCESSING:
        await apply_payment_outcome(context, purchase, invoice)
    else:
        await void_and_fail(context, purchase, invoice)
