"""How an invoice is paid, by a card on file or by whatever moves its payment intent, and how it is voided."""

from __future__ import annotations

from typing import Any

from sandbox.calls import Call
from sandbox.errors import Json, StripeError, card_error, invalid
from sandbox.events import emit
from sandbox.resources.customers.customers import changes
from sandbox.resources.payment_methods.payment_methods import resolve
from sandbox.resources.payments import payment_attempts as payments
from sandbox.store import Transaction


async def pay_call(call: Call) -> Json:
    """POST /v1/invoices/{id}/pay. Raises a card error if the card does not pay or its holder is needed."""
    tx, params = call.tx, call.params
    invoice = await tx.get("invoice", call.id)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid")
    if invoice["status"] != "open":
        raise invalid(f"Invoices with a status of {invoice['status']} can't be paid; finalize a draft first.")
    if params.get("paid_out_of_band"):
        intent, _ = await _default_payment(tx, invoice)
        await payments.cancel(tx, intent, None)
        return await paid(tx, invoice)
    error = await pay(tx, invoice, params.get("payment_method"), off_session=params.get("off_session", True))
    if error is not None:
        raise error
    return await tx.get("invoice", invoice["id"])


async def pay(tx: Transaction, invoice: Json, reference: str | None, *, off_session: bool) -> StripeError | None:
    """Try to pay an open invoice with a named payment method, its own or the customer's default.

    Returns the error to answer: a decline, or that the holder is needed.
    """
    customer = await tx.get("customer", invoice["customer"])
    chosen = reference or invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if chosen is None:
        raise invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please provide one.",
            code="resource_missing",
        )
    method = await resolve(tx, chosen)
    if method["customer"] != customer["id"]:
        raise invalid(
            f"The customer does not have a payment method with the ID {chosen}."
            " The payment method must be attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )
    intent, _ = await _default_payment(tx, invoice)
    error = await payments.attempt(tx, intent, method, off_session=off_session)
    await follow_payment(tx, invoice, intent)
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
    """Try an advancing invoice with the default card when its time has come; without one it stays open."""
    customer = await tx.get("customer", invoice["customer"])
    if invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]:
        await pay(tx, invoice, None, off_session=True)
    else:
        await tx.save(invoice | {"next_payment_attempt": None})


async def follow_payment(tx: Transaction, invoice: Json, intent: Json) -> None:
    """Bring an invoice in line with the intent that pays it, after an attempt or an authentication."""
    if invoice["status"] != "open":
        return
    before = dict(invoice)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "next_payment_attempt": None}
    if intent["status"] == "succeeded":
        await paid(tx, invoice)
        return
    await tx.save(invoice)
    await emit(tx, "invoice.updated", invoice, changes(before, invoice))
    await emit(tx, "invoice.payment_failed", invoice)
    if intent["status"] == "requires_action":
        await emit(tx, "invoice.payment_action_required", invoice)


async def paid(tx: Transaction, invoice: Json) -> Json:
    """Mark an open invoice and its open payment as paid, and tell of it."""
    before: dict[str, Any] = dict(invoice)
    due = invoice["amount_due"]
    invoice |= {"status": "paid", "amount_paid": due, "amount_remaining": 0, "attempted": True, "auto_advance": False}
    invoice["status_transitions"] = invoice["status_transitions"] | {"paid_at": tx.now}
    await tx.save(invoice)
    for payment in await tx.every("invoice_payment", {"invoice": invoice["id"], "status": "open"}):
        payment |= {"status": "paid", "amount_paid": due}
        payment["status_transitions"]["paid_at"] = tx.now
        await tx.save(payment)
        await emit(tx, "invoice_payment.paid", payment)
    await emit(tx, "invoice.updated", invoice, changes(before, invoice))
    await emit(tx, "invoice.paid", invoice)
    await emit(tx, "invoice.payment_succeeded", invoice)
    return invoice


async def void(call: Call) -> Json:
    """POST /v1/invoices/{id}/void: an open invoice will not be paid; intent and credit are given back."""
    tx = call.tx
    invoice = await tx.get("invoice", call.id)
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(
            f"You can only pass in open invoices. This invoice isn't open: its status is {invoice['status']}."
        )
    intent, payment = await _default_payment(tx, invoice)
    await payments.cancel(tx, intent, "void_invoice")
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


async def _default_payment(tx: Transaction, invoice: Json) -> tuple[Json, Json]:
    payment = (await tx.every("invoice_payment", {"invoice": invoice["id"], "is_default": True}))[0]
    return await tx.get("payment_intent", payment["payment"]["payment_intent"]), payment
