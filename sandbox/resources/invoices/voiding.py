"""Voiding an invoice that will not be paid."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.invoices.paying import default_payment
from sandbox.resources.payments.payment_attempts import cancel_payment
from sandbox.store import Transaction


async def void_invoice(tx: Transaction, invoice: Json) -> Json:
    """Void an open invoice: its payment intent is canceled, the credit it used goes back to the customer's balance."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid_request(
            f"You can only pass in open invoices. This invoice isn't open: its status is {invoice['status']}."
        )
    intent, payment = await default_payment(tx, invoice)
    await cancel_payment(tx, intent, "void_invoice")
    customer = await tx.get("customer", invoice["customer"])
    customer["balance"] += invoice["starting_balance"] - invoice["ending_balance"]
    await tx.save(customer)
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = tx.now
    await tx.save(payment)
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = tx.now
    await tx.save(invoice)
    await emit(tx, "invoice.voided", invoice)
    return invoice
