"""What a change of a customer means for the customer's invoices."""

from __future__ import annotations

from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.drafts import update_draft
from sandbox.resources.invoices.paying import PAYABLE
from sandbox.store import Transaction


async def follow_customer(tx: Transaction, customer: Json) -> None:
    """Bring the drafts of a changed customer in line with it; of a deleted one no invoice is collected any more."""
    if customer.get("deleted"):
        for status in ("draft", *PAYABLE):
            await _stop_collecting(tx, {"customer": customer["id"], "status": status, "auto_advance": True})
        return
    for draft in await tx.find_all("invoice", {"customer": customer["id"], "status": "draft"}):
        await update_draft(tx, draft)


async def _stop_collecting(tx: Transaction, match: Json) -> None:
    """Leave the invoices that match to whoever voids or deletes them, or marks them as paid."""
    for invoice in await tx.find_all("invoice", match):
        before = snapshot(invoice)
        invoice |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
        await tx.save(invoice)
        await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
