"""Paying an invoice: with a payment method of the customer, or by whatever else makes its payment intent succeed."""

from __future__ import annotations

from sandbox.errors import StripeError, card_error, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.invoice_object import subscription_of
from sandbox.resources.payment_methods.attachment import not_attached_error
from sandbox.resources.payment_methods.payment_method_object import get_or_create_payment_method
from sandbox.resources.payments.payment_attempts import attempt_payment, cancel_payment
from sandbox.store import Transaction

# the statuses in which an invoice can be paid
PAYABLE = ("open", "uncollectible")

# after these declines Stripe does not charge the card again
_FINAL_DECLINES = frozenset(
    "incorrect_number lost_card pickup_card stolen_card revocation_of_authorization revocation_of_all_authorizations"
    " authentication_required highest_risk_level transaction_not_allowed".split()
)


async def pay_invoice(
    tx: Transaction, invoice: Json, reference: str | None, *, off_session: bool, automatic: bool = False
) -> StripeError | None:
    """Try to pay an invoice with the payment method of `reference`, or its own, or its subscription's, or the customer's default.

    `automatic` attempts are those of the schedule of retries, which are counted.

    Returns the error to answer: a decline, or that authentication is required. Raises StripeError for what can't be tried:
    there is no payment method, it is not attached to the customer, or the customer was deleted.
    """
    customer = await tx.get("customer", invoice["customer"], "customer")
    chosen = reference or await _default_payment_method(tx, invoice, customer)
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
    await _update_from_intent(tx, invoice, intent, automatic=automatic)
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
    """Try to pay an invoice with `auto_advance` when its time has come; without a card that can be tried it stays open.

    Of a subscription that counts as a failed attempt. So does a retry that would only be declined again: the bank has said that
    it wants no other attempt, and the card is still the same.
    """
    try:
        if not await _is_hopeless(tx, invoice):
            await pay_invoice(tx, invoice, None, off_session=True, automatic=True)
            return
    except StripeError:
        pass
    if subscription_of(invoice) is None:
        await tx.save(invoice | {"next_payment_attempt": None})
        return
    await _note_failure(tx, invoice, None, automatic=True)


async def update_invoice_of_intent(tx: Transaction, intent: Json) -> None:
    """Update the invoice that a payment intent pays, if there is one, after an attempt to pay."""
    if intent.get("_invoice") is not None:
        await _update_from_intent(tx, await tx.get("invoice", intent["_invoice"]), intent, automatic=False)


async def pay_out_of_band(tx: Transaction, invoice: Json) -> Json:
    """Mark an invoice as paid outside of Stripe: its payment intent is canceled, and nothing was attempted here."""
    await cancel_default_payment(tx, invoice, None)
    invoice["amount_paid_off_stripe"] = invoice["amount_due"]
    return await mark_paid(tx, invoice, attempted=invoice["attempted"])


async def mark_paid(tx: Transaction, invoice: Json, *, attempted: bool = True) -> Json:
    """Mark an invoice and its open payment as paid."""
    before = snapshot(invoice)
    due = invoice["amount_remaining"]
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
    await tx.update_dependents(invoice)
    return invoice


async def lower_amount_remaining(tx: Transaction, invoice: Json, by: int) -> Json:
    """Lower what is left to pay of an open invoice, by a credit note; an invoice with nothing left is paid."""
    intent, payment = await _default_payment(tx, invoice)
    invoice["amount_remaining"] -= by
    await tx.save(invoice)
    if invoice["amount_remaining"] == 0:
        await cancel_default_payment(tx, invoice, None)
        return await mark_paid(tx, invoice, attempted=invoice["attempted"])
    await tx.save(intent | {"amount": invoice["amount_remaining"]})
    await tx.save(payment | {"amount_requested": invoice["amount_remaining"]})
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


async def _update_from_intent(tx: Transaction, invoice: Json, intent: Json, *, automatic: bool) -> None:
    if invoice["status"] not in PAYABLE:
        return
    if intent["status"] == "succeeded":
        invoice["attempt_count"] += _counts(invoice, automatic=automatic)
        await mark_paid(tx, invoice)
        return
    await _note_failure(tx, invoice, intent, automatic=automatic)


async def _note_failure(tx: Transaction, invoice: Json, intent: Json | None, *, automatic: bool) -> None:
    """Write down that an attempt to pay has failed, or that there was nothing to try (no `intent`)."""
    before = snapshot(invoice)
    invoice["attempt_count"] += _counts(invoice, automatic=automatic)
    invoice["attempted"] = True
    if automatic or not before["attempted"] or subscription_of(invoice) is None:
        invoice["next_payment_attempt"] = None
    await tx.save(invoice)
    await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    await emit(tx, "invoice.payment_failed", invoice)
    if intent is not None and intent["status"] == "requires_action":
        await emit(tx, "invoice.payment_action_required", invoice)
    await tx.update_dependents(invoice)


def _counts(invoice: Json, *, automatic: bool) -> int:
    """Return by how much an attempt raises `attempt_count`: the first one counts, and then those of the schedule."""
    return 1 if automatic or not invoice["attempted"] or subscription_of(invoice) is None else 0


async def _is_hopeless(tx: Transaction, invoice: Json) -> bool:
    """Whether the invoice's card was declined in a way that is not tried again until there is another card."""
    intent, _ = await _default_payment(tx, invoice)
    failure: Json = intent["last_payment_error"] or {}
    if failure.get("decline_code") not in _FINAL_DECLINES:
        return False
    customer = await tx.get("customer", invoice["customer"], "customer")
    return failure["payment_method"]["id"] == await _default_payment_method(tx, invoice, customer)


async def _default_payment_method(tx: Transaction, invoice: Json, customer: Json) -> str | None:
    """Return the card an invoice is charged with: its own, its subscription's, or its customer's default."""
    if invoice["default_payment_method"]:
        return str(invoice["default_payment_method"])
    subscription_id = subscription_of(invoice)
    if subscription_id is not None:
        subscription = await tx.get("subscription", subscription_id)
        if subscription["default_payment_method"]:
            return str(subscription["default_payment_method"])
    default: str | None = customer["invoice_settings"]["default_payment_method"]
    return default
