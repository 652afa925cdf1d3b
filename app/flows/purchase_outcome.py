"""What became of a purchase: the one way in which recharges, the provider's events and the reconciler bring it to its end."""

from __future__ import annotations

from uuid import UUID

from app.billing import purchases
from app.db.engine import Session
from app.db.tables.payments import CreditPurchaseRow, PurchaseStatus
from app.db.unit_of_work import transact
from app.flows.desk import Desk
from app.payments.values import GatewayRefused, InvoiceStatus, PaymentStatus, ProviderInvoice
from app.store import billing_accounts
from app.store import purchases as purchase_store

_DECLINED = "The card was declined."
_LAPSED = "The payment was not confirmed in time."
_NOT_COMPLETED = "The payment was not completed; nothing was charged."


async def conclude(desk: Desk, purchase: CreditPurchaseRow, invoice: ProviderInvoice) -> CreditPurchaseRow:
    """Bring a purchase whose payment was sent to where its invoice, just fetched, says it is.

    Safe to run twice, at once, and in any order. Raises `GatewayUnavailable` when the invoice of a failed payment can't be voided
    now; the purchase then stays unsettled and is looked at again.
    """
    where = (purchase.workspace_id, purchase.id)
    attempt = invoice.attempt
    if invoice.status is InvoiceStatus.PAID:
        return await transact(
            desk.database, lambda session: purchases.settle(session, *where, invoice), step="purchase.settle"
        )
    if attempt.status is PaymentStatus.ACTION_REQUIRED and not _is_lapsed(desk, purchase):
        return await transact(
            desk.database, lambda session: purchases.await_confirmation(session, *where, invoice), step="purchase.await"
        )
    if invoice.status is InvoiceStatus.OPEN and attempt.status is PaymentStatus.PROCESSING:
        return await look_later(desk, purchase.workspace_id, purchase.id)
    if (
        invoice.status is InvoiceStatus.OPEN
        and attempt.status is PaymentStatus.NOT_ATTEMPTED
        and not _is_stale(desk, purchase)
    ):
        return purchase
    return await _end_without_charge(desk, purchase, invoice)


async def look_into(desk: Desk, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow | None:
    """Find out from the provider what became of a purchase, and bring it to its end.

    It looks up before it does anything, and never sends a payment again: a payment that was sent and is not found is made
    impossible by voiding its invoice, which the provider refuses if it did happen after all.
    """
    async with desk.database.read() as session:
        purchase = await purchase_store.find(session, workspace_id, purchase_id)
        account = await billing_accounts.find(session, workspace_id)
    if purchase is None:
        return None
    if purchase.pay_sent_at is None:
        await _give_up(desk, purchase)
    invoice = await _find_invoice(desk, purchase, account.customer_id if account is not None else None)
    if invoice is not None and (purchase.pay_sent_at is not None or invoice.status is InvoiceStatus.PAID):
        return await conclude(desk, purchase, invoice)
    left = await desk.gateway.discard_invoice(invoice.id) if invoice is not None else None
    return await transact(
        desk.database,
        lambda session: purchases.fail(session, workspace_id, purchase_id, left, reason=_NOT_COMPLETED),
        step="purchase.fail",
    )


async def _give_up(desk: Desk, purchase: CreditPurchaseRow) -> None:
    """Make sure that nobody sends this purchase's payment any more, if nobody has; `pay_sent_at` is read anew otherwise."""

    async def work(session: Session) -> CreditPurchaseRow:
        await billing_accounts.lock(session, purchase.workspace_id)
        await purchases.abandon(session, purchase.workspace_id, purchase.id, reason=_NOT_COMPLETED)
        return await purchase_store.lock(session, purchase.workspace_id, purchase.id)

    row = await transact(desk.database, work, step="purchase.give_up")
    purchase.pay_sent_at = row.pay_sent_at
    purchase.invoice_id = row.invoice_id


async def _find_invoice(desk: Desk, purchase: CreditPurchaseRow, customer_id: str | None) -> ProviderInvoice | None:
    if purchase.invoice_id is not None:
        return await desk.gateway.invoice(purchase.invoice_id)
    if customer_id is None:
        return None
    # The process may have died between the provider's making the invoice and our saving its id.
    found = await desk.gateway.find_invoices(customer_id, purchase_id=str(purchase.id))
    return found[0] if found else None


async def _end_without_charge(desk: Desk, purchase: CreditPurchaseRow, invoice: ProviderInvoice) -> CreditPurchaseRow:
    attempt = invoice.attempt
    try:
        left = await desk.gateway.discard_invoice(invoice.id)
    except GatewayRefused:
        # It was paid, or is being paid, while we looked: what it is now decides.
        current = await desk.gateway.invoice(invoice.id)
        if current is None or current.status is not InvoiceStatus.PAID:
            return await look_later(desk, purchase.workspace_id, purchase.id)
        return await conclude(desk, purchase, current)
    lapsed = attempt.status in (PaymentStatus.ACTION_REQUIRED, PaymentStatus.CANCELED) and _is_lapsed(desk, purchase)
    reason = _LAPSED if lapsed else attempt.decline_message or (_DECLINED if attempt.decline_code else _NOT_COMPLETED)
    return await transact(
        desk.database,
        lambda session: purchases.fail(
            session,
            purchase.workspace_id,
            purchase.id,
            left,
            reason=reason,
            decline_code=None if lapsed else attempt.decline_code,
            status=PurchaseStatus.EXPIRED if lapsed else PurchaseStatus.FAILED,
        ),
        step="purchase.fail",
    )


async def look_later(desk: Desk, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow:
    """Leave a purchase as it is for now: the provider can't say yet, or can't be reached."""

    async def work(session: Session) -> CreditPurchaseRow:
        row = await purchase_store.lock(session, workspace_id, purchase_id)
        if row.next_look_at is not None:
            row.next_look_at = session.now + purchases.LOOK_AFTER
        return row

    return await transact(desk.database, work, step="purchase.look_later")


def _is_lapsed(desk: Desk, purchase: CreditPurchaseRow) -> bool:
    return desk.database.clock.now() >= purchase.expires_at


def _is_stale(desk: Desk, purchase: CreditPurchaseRow) -> bool:
    """Whether the pay call was sent so long ago that it can't still be under way."""
    sent = purchase.pay_sent_at
    return sent is not None and desk.database.clock.now() >= sent + purchases.LOOK_AFTER
