"""Payment intents: the calls upon them."""

from __future__ import annotations

from sandbox import dependents as settling
from sandbox.calls import Call
from sandbox.errors import Json, StripeError, invalid, missing
from sandbox.metadata import merged
from sandbox.resources.invoices.totals import MINIMUM_CHARGE
from sandbox.resources.payment_methods.payment_methods import allowed_types, resolve
from sandbox.resources.payments import payment_attempts as payments
from sandbox.store import Transaction

_COPIED = ("description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix")


async def create(call: Call) -> Json:
    """POST /v1/payment_intents."""
    params = call.params
    amount, currency = params["amount"], params["currency"].lower()
    if amount < MINIMUM_CHARGE:
        raise invalid(
            f"Amount must be at least {MINIMUM_CHARGE} in the smallest unit of {currency}.",
            code="amount_too_small",
            param="amount",
        )
    if "customer" in params:
        await call.tx.get("customer", params["customer"], "customer")
    given = {name: params[name] for name in _COPIED if name in params}
    given["allowed_payment_method_types"] = allowed_types(params)
    given |= {"customer": params.get("customer"), "metadata": merged({}, params.get("metadata"))}
    if params.get("automatic_payment_methods", {}).get("enabled"):
        given["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "always"}
    intent = await payments.make_intent(call.tx, amount, currency, **given)
    if "payment_method" in params and not params.get("confirm"):
        method = await resolve(call.tx, params["payment_method"])
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        return await call.tx.save(intent)
    return await _confirm(call, intent) if params.get("confirm") else intent


async def retrieve(call: Call) -> Json:
    """GET /v1/payment_intents/{id}, also with a publishable key and the client secret."""
    return await _addressed(call)


async def update(call: Call) -> Json:
    """POST /v1/payment_intents/{id}: metadata and description."""
    intent = await call.tx.get("payment_intent", call.id)
    intent["metadata"] = merged(intent["metadata"], call.params.get("metadata"))
    if "description" in call.params:
        intent["description"] = call.params["description"]
    return await call.tx.save(intent)


async def confirm(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/confirm. Raises a card error when the card does not pay."""
    return await _confirm(call, await _addressed(call))


async def cancel(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/cancel; an invoice's intent ends only with its invoice."""
    intent = await call.tx.get("payment_intent", call.id)
    if intent["_invoice"] is not None:
        raise invalid(
            "You cannot cancel this PaymentIntent because it belongs to an invoice. Void the invoice instead.",
            code="payment_intent_unexpected_state",
        )
    return await payments.cancel(call.tx, intent, call.params.get("cancellation_reason"))


async def authenticate(tx: Transaction, intent_id: str, *, succeeded: bool) -> tuple[Json, StripeError | None]:
    """Act as the cardholder at the bank's page; return the intent and the error that followed, if any."""
    intent = await tx.get("payment_intent", intent_id)
    return intent, await payments.finish_authentication(tx, intent, succeeded=succeeded)


async def _addressed(call: Call) -> Json:
    """Return the intent in the path; a client secret, which a publishable key needs, must be its own."""
    intent = await call.tx.get("payment_intent", call.id)
    given = call.params.get("client_secret")
    if (call.publishable or given is not None) and given != intent["client_secret"]:
        raise missing("payment_intent", call.id, "intent")
    return intent


async def _confirm(call: Call, intent: Json) -> Json:
    params, tx = call.params, call.tx
    if intent["status"] not in payments.CONFIRMABLE:
        raise payments.unexpected_state(intent, "confirmed")
    if "payment_method" in params or intent["payment_method"]:
        method = await resolve(tx, params.get("payment_method") or intent["payment_method"])
    else:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            details={"payment_intent": intent},
        )
    if "setup_future_usage" in params:
        intent["setup_future_usage"] = params["setup_future_usage"] or None
    intent["_return_url"] = params.get("return_url", intent["_return_url"])
    error = await payments.attempt(tx, intent, method, off_session=params.get("off_session", False) is not False)
    await settling.follow(tx, intent)
    if error is not None:
        raise error
    return intent
