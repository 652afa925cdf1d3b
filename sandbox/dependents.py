"""What follows when an intent has moved: the invoice it pays, the Checkout session it belongs to."""

from __future__ import annotations

from sandbox.errors import Json
from sandbox.resources.checkout import sessions as checkout
from sandbox.resources.invoices import paying as invoice_payment
from sandbox.store import Transaction


async def follow(tx: Transaction, intent: Json) -> None:
    """Bring what depends on an intent in line with its state."""
    if intent.get("_invoice") is not None:
        invoice = await tx.get("invoice", intent["_invoice"])
        await invoice_payment.follow_payment(tx, invoice, intent)
    if intent.get("_session") is not None:
        session = await tx.get("checkout.session", intent["_session"])
        await checkout.follow(tx, session, intent)
