"""What follows when a payment intent has moved: the invoice it pays, the dispute its card brings."""

from __future__ import annotations

from sandbox.errors import Json
from sandbox.resources import invoices
from sandbox.store import Transaction


async def follow(tx: Transaction, intent: Json) -> None:
    """Bring what depends on a payment intent in line with its state."""
    if intent["_invoice"] is not None:
        invoice = await tx.get("invoice", intent["_invoice"])
        await invoices.follow_payment(tx, invoice, intent)
