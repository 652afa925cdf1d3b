"""Payment intents: created, retrieved, changed, confirmed, canceled."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.currencies import check_amount, checked_currency, minimum_charge, minimum_text
from sandbox.emails import check_email
from sandbox.errors import invalid_request
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.payment_methods.payment_method_object import allowed_types
from sandbox.resources.payments.intents import (
    get_by_id_or_secret,
    payment_method_to_confirm,
    refuse_session_intent,
    set_payment_method,
)
from sandbox.resources.payments.payment_attempts import attempt_payment, cancel_payment
from sandbox.resources.payments.payment_intent_object import create_payment_intent

_COPIED = ("description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix")


async def create(call: Call) -> Json:
    """POST /v1/payment_intents."""
    params = call.params
    amount, currency = params["amount"], checked_currency(params["currency"])
    check_amount(amount, currency, "amount")
    if amount < minimum_charge(currency):
        raise invalid_request(
            f"Amount must be at least {minimum_text(currency)}", code="amount_too_small", param="amount"
        )
    check_email(params.get("receipt_email"), "receipt_email")
    if "customer" in params:
        await call.tx.get("customer", params["customer"], "customer")
    fields = {name: params[name] for name in _COPIED if name in params}
    fields["allowed_payment_method_types"] = allowed_types(params)
    fields |= {"customer": params.get("customer"), "metadata": merge_metadata({}, params.get("metadata"))}
    if params.get("automatic_payment_methods", {}).get("enabled"):
        fields["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "always"}
    intent = await create_payment_intent(call.tx, amount, currency, **fields)
    if params.get("confirm"):
        return await _confirm(call, intent)
    if "payment_method" in params:
        return await set_payment_method(call.tx, intent, params["payment_method"])
    return intent


async def retrieve(call: Call) -> Json:
    """GET /v1/payment_intents/{id}, also with a publishable key and the client secret."""
    return await get_by_id_or_secret(call, "payment_intent")


async def update(call: Call) -> Json:
    """POST /v1/payment_intents/{id}: metadata and description."""
    intent = await call.tx.get("payment_intent", call.id)
    intent["metadata"] = merge_metadata(intent["metadata"], call.params.get("metadata"))
    if "description" in call.params:
        intent["description"] = call.params["description"]
    return await call.tx.save(intent)


async def confirm(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/confirm. Raises a card error if the card is not charged."""
    return await _confirm(call, await get_by_id_or_secret(call, "payment_intent"))


async def cancel(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/cancel; an intent of an invoice or a Checkout session is canceled only with that."""
    intent = await call.tx.get("payment_intent", call.id)
    refuse_session_intent(intent)
    if intent["_invoice"] is not None:
        raise invalid_request(
            "You cannot cancel this PaymentIntent because it belongs to an invoice. Void the invoice instead.",
            code="payment_intent_unexpected_state",
        )
    return await cancel_payment(call.tx, intent, call.params.get("cancellation_reason"))


async def _confirm(call: Call, intent: Json) -> Json:
    params, tx = call.params, call.tx
    method = await payment_method_to_confirm(tx, intent, params)
    if "setup_future_usage" in params:
        intent["setup_future_usage"] = params["setup_future_usage"] or None
    intent["_return_url"] = params.get("return_url", intent["_return_url"])
    error = await attempt_payment(tx, intent, method, off_session=params.get("off_session", False) is not False)
    await tx.update_dependents(intent)
    if error is not None:
        raise error
    return intent
