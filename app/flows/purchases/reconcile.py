"""The reconciler: finishes purchases that were begun and not finished, whatever step they stopped at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from app.billing.purchases import purchase_states
from app.db.engine import Session
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.purchases.checkout import apply_checkout_outcome, close_lost_checkouts
from app.flows.purchases.payment_outcome import (
    NOT_COMPLETED,
    apply_payment_outcome,
    check_later,
    fail_purchase,
    void_and_fail,
)
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable
from app.payments.gateway_values import InvoiceStatus, ProviderInvoice
from app.store import billing_accounts as billing_account_store
from app.store import customers as customer_store
from app.store import purchases as purchase_store


async def reconcile_due_purchase(
    context: FlowContext, workspace_id: UUID, purchase_id: UUID
) -> CreditPurchaseRow | None:
    """Reconcile a purchase that is due. If that fails, it is checked again later, after the others, and the error is raised."""
    try:
        return await reconcile_purchase(context, workspace_id, purchase_id)
    except Exception:
        await check_later(context, workspace_id, purchase_id)
        raise


async def look(context: FlowContext, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    """The purchase as the provider knows it now, and finished if it can be; as it was where the provider can't be asked.

    A purchase whose payment was not sent is left alone: whoever prepares it is at work.
    """
    if purchase.status not in UNFINISHED or purchase.pay_sent_at is None:
        return purchase
    with suppress(GatewayUnavailable, GatewayRefused):
        return await reconcile_purchase(context, purchase.workspace_id, purchase.id) or purchase
    return purchase


async def find_paid(context: FlowContext, workspace_id: UUID) -> bool:
    """Look at every purchase of a workspace that may have been paid unseen; whether one of them turns out to be paid."""
    async with context.database.read() as session:
        waiting = [
            purchase
            for purchase in await purchase_store.unfinished(session, workspace_id)
            if purchase_states.may_have_been_paid(purchase, session.now)
        ]
    found = [await look(context, purchase) for purchase in waiting]
    return any(purchase.charged_at is not None for purchase in found)


async def reconcile_purchase(context: FlowContext, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow | None:
    """Ask the provider what became of a purchase, and finish it accordingly; None when there is no such purchase.

    It never sends a payment again. Where a payment was sent and the invoice is not paid, it voids the invoice, so that it can't be
    paid later; the provider refuses to void an invoice that was paid after all. Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        purchase = await purchase_store.find(session, workspace_id, purchase_id)
        customer_ids = await customer_store.all_of(session, workspace_id)
    if purchase is None:
        return None
    if purchase.pay_sent_at is None:
        purchase = await _give_up(context, purchase)
    if purchase.checkout_session_id is not None:
        return await apply_checkout_outcome(context, purchase)
    if purchase.card_id is None:
        await close_lost_checkouts(context, purchase, customer_ids)
    invoice = await _find_invoice(context, purchase, customer_ids)
    if invoice is not None and (purchase.pay_sent_at is not None or invoice.status is InvoiceStatus.PAID):
        return await apply_payment_outcome(context, purchase, invoice)
    if invoice is not None:
        return await void_and_fail(context, purchase, invoice)
    return await fail_purchase(context, purchase, None, reason=NOT_COMPLETED)


async def _give_up(context: FlowContext, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    """Give the purchase up unless its payment was sent, so that no other process sends it; returns the row as it is then."""

    async def work(session: Session) -> CreditPurchaseRow:
        await billing_account_store.lock(session, purchase.workspace_id)
        await purchase_states.give_up(session, purchase.workspace_id, purchase.id, reason=NOT_COMPLETED)
        return await purchase_store.lock(session, purchase.workspace_id, purchase.id)

    return await transact(context.database, work, step="purchase.give_up")


async def _find_invoice(
    context: FlowContext, purchase: CreditPurchaseRow, customer_ids: Sequence[str]
) -> ProviderInvoice | None:
    if purchase.invoice_id is not None:
        return await context.gateway.invoice(purchase.invoice_id)
    # The process may have died after the provider made the invoice and before its id was stored.
    for customer_id in customer_ids:
        with suppress(GatewayMissing):
            found = await context.gateway.find_invoices(customer_id, purchase_id=str(purchase.id))
            if found:
                return found[0]
    return None
