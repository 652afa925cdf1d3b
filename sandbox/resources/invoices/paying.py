"""Paying an invoice: with a payment method of the customer, or by whatever else makes its payment intent succeed."""

from __future__ import annotations

from sandbox.errors import StripeError, card_error, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.payment_methods.attachment import not_attached_error
from sandbox.resources.payment_methods.payment_method_object import get_or_create_payment_method
from sandbox.resources.payments.payment_attempts import attempt_payment, cancel_payment
from sandbox.store import Transaction

# the statuses in which an invoice can be paid
PAYABLE = ("open", "uncollectible")


async def pay_invoice(
    tx: Transaction, invoice: Json, reference: str | None, *, off_session: bool
) -> StripeError | None:
    """Try to pay an invoice with the payment method of `reference`, or its own, or the customer's default.

    Returns the error to answer: a decline, or that authentication is required. Raises StripeError for what can't be tried:
    there is no payment method, it is not attached to the customer, or the customer was deleted.
    """
    customer = await tx.get("customer", invoice["customer"], "customer")
    chosen = reference or _default_payment_method(invoice, customer)
    if chosen is None:
        raise invalid_request(
            "There is no `default_payment_method` set on this Customer or Invoice. Please provide one.",
            code="resource_missing",
        )
    method = await get_or_create_payment_method(tx, chosen)
    if method["customer"] != customer["id"]:
        raise not_attached_error(chosen, "payment_method")
    intent, _ = await _default_payment(tx, invoice)
    error = await attempt_payment(tx, intent, method, off_session=off_session)
    await _update_from_intent(tx, invoice, intent)
    if error is None and intent["status"] == "requires_action":
        return card_error(
            "Payment for this invoice requires additional user action before it can be completed successfully."
            " Payment can be completed using the PaymentIntent associated with the invoice.",
            "invoice_payment_intent_requires_action",
            decline_code=None,
            details={"payment_intent": intent, "payment_method": method},
        )
    return error


async def pay_automatically(tx: Transaction, invoice: Json) -> None:
    """Try to pay an invoice with `auto_advance` when its time has come; without a card that can be tried it stays open."""
    try:
        await pay_invoice(tx, invoice, None, off_session=True)
    except StripeError:
        await tx.save(invoice | {"next_payment_attempt": None})


async def update_invoice_of_intent(tx: Transaction, intent: Json) -> None:
    """Update the invoice that a payment intent pays, if there is one, after an attempt to pay."""
    if intent.get("_invoice") is not None:
        await _update_from_intent(tx, await tx.get("invoice", intent["_invoice"]), intent)


async def pay_out_of_band(tx: Transaction, invoice: Json) -> Json:
    """Mark an invoice as paid outside of Stripe: its payment intent is canceled, and nothing was attempted here."""
    await cancel_default_payment(tx, invoice, None)
    invoice["amount_paid_off_stripe"] = invoice["amount_due"]
    return await mark_paid(tx, invoice, attempted=invoice["attempted"])


async def mark_paid(tx: Transaction, invoice: Json, *, attempted: bool = True) -> Json:
    """Mark an invoice and its open payment as paid."""
    before = snapshot(invoice)
    due = invoice["amount_due"]
    invoice |= {
        "status": "paid",
        "amount_paid": due,
        "amount_remaining": 0,
        "attempted": attempted,
        "auto_advance": False,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"] = invoice["status_transitions"] | {"paid_at": tx.now}
    await tx.save(invoice)
    for payment in await tx.find_all("invoice_payment", {"invoice": invoice["id"], "status": "open"}):
        payment |= {"status": "paid", "amount_paid": due}
        payment["status_transitions"]["paid_at"] = tx.now
        await tx.save(payment)
        await emit(tx, "invoice_payment.paid", payment)
    await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    await emit(tx, "invoice.paid", invoice)
    await emit(tx, "invoice.payment_succeeded", invoice)
    return invoice


async def cancel_default_payment(tx: Transaction, invoice: Json, reason: str | None) -> None:
    """Cancel the payment intent made for an invoice, which nobody will pay through it, and their invoice payment."""
    intent, payment = await _default_payment(tx, invoice)
    await cancel_payment(tx, intent, reason)
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = tx.now
    await tx.save(payment)


async def _default_payment(tx: Transaction, invoice: Json) -> tuple[Json, Json]:
    """Return the payment intent made for a finalized invoice, and the invoice payment that connects the two."""
    payment = (await tx.find_all("invoice_payment", {"invoice": invoice["id"], "is_default": True}))[0]
    return await tx.get("payment_intent", payment["payment"]["payment_intent"]), payment


async def _update_from_intent(tx: Transaction, invoice: Json, intent: Json) -> None:
    if invoice["status"] not in PAYABLE:
        return
    before = snapshot(invoice)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "next_payment_attempt": None}
    if intent["status"] == "succeeded":
        await mark_paid(tx, invoice)
        return
    await tx.save(invoice)
    await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    await emit(tx, "invoice.payment_failed", invoice)
    if intent["status"] == "requires_action":
        await emit(tx, "invoice.payment_action_required", invoice)


def _default_payment_method(invoice: Json, customer: Json) -> str | None:
    return invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
