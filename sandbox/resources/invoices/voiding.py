"""Calling off an invoice that will not be paid: voided, or marked as uncollectible."""

from __future__ import annotations

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.paying import cancel_default_payment
from sandbox.store import Transaction


async def void_invoice(tx: Transaction, invoice: Json) -> Json:
    """Void an open invoice: its payment intent is canceled, the credit it used goes back to the customer's balance."""
    if invoice["status"] == "paid":
        raise invalid_request("Invoices with `paid` payments cannot be voided.")
    if invoice["status"] != "open":
        raise not_open_error()
    before = snapshot(invoice)
    await cancel_default_payment(tx, invoice, "void_invoice")
    customer = await tx.find_including_deleted("customer", invoice["customer"])
    if customer is not None and not customer.get("deleted"):
        customer["balance"] += invoice["starting_balance"] - invoice["ending_balance"]
        await tx.save(customer)
    return await _close(tx, invoice, before, "void", "voided")


async def mark_uncollectible(tx: Transaction, invoice: Json) -> Json:
    """Mark an open invoice as one that will probably not be paid; it can still be."""
    if invoice["status"] == "uncollectible":
        raise invalid_request("This invoice has already been marked uncollectible.")
    if invoice["status"] != "open":
        raise not_open_error()
    before = snapshot(invoice)
    invoice["status_details"] = {"uncollectible": {"reason": "user_forgiven"}}
    return await _close(tx, invoice, before, "uncollectible", "marked_uncollectible")


def not_open_error() -> StripeError:
    """Return the error for a step that is possible with an open invoice only."""
    return invalid_request("You can only pass in open invoices. This invoice isn't open.")


async def _close(tx: Transaction, invoice: Json, before: Json, status: str, verb: str) -> Json:
    """Give an invoice its new status; `verb` names what happened, as its time and its event do."""
    invoice |= {"status": status, "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"][f"{verb}_at"] = tx.now
    await tx.save(invoice)
    await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    await emit(tx, f"invoice.{verb}", invoice)
    await tx.update_dependents(invoice)
    return invoice
