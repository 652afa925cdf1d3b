"""Setup intents: saving a card for later payments."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import Json, StripeError, card_error, invalid, missing
from sandbox.events import emit
from sandbox.ids import new_id, random_text
from sandbox.metadata import merged
from sandbox.resources.payment_methods.payment_methods import (
    allowed_types,
    behaviour,
    bind,
    declined,
    refuse_detached,
    resolve,
)
from sandbox.resources.payments.payment_attempts import CONFIRMABLE, unexpected_state
from sandbox.store import Transaction


async def create(call: Call) -> Json:
    """POST /v1/setup_intents."""
    params = call.params
    if "customer" in params:
        await call.tx.get("customer", params["customer"], "customer")
    intent = await make_intent(call.tx, params)
    if params.get("confirm"):
        return await _confirm(call, intent)
    if "payment_method" in params:
        method = await resolve(call.tx, params["payment_method"])
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        await call.tx.save(intent)
    return intent


async def make_intent(tx: Transaction, params: Json) -> Json:
    """Store a new setup intent with the given `customer`, `usage`, `description` and `metadata`."""
    intent_id = new_id("seti")
    automatic = params.get("automatic_payment_methods", {}).get("enabled", False)
    intent: Json = {
        "id": intent_id,
        "object": "setup_intent",
        "allowed_payment_method_types": allowed_types(params),
        "application": None,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "always"} if automatic else None,
        "cancellation_reason": None,
        "client_secret": f"{intent_id}_secret_{random_text(24)}",
        "created": tx.now,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merged({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
        "_return_url": params.get("return_url"),
        "_session": None,
    }
    await tx.insert(intent)
    await emit(tx, "setup_intent.created", intent)
    return intent


async def retrieve(call: Call) -> Json:
    """GET /v1/setup_intents/{id}, also with a publishable key and the client secret."""
    return await _addressed(call)


async def confirm(call: Call) -> Json:
    """POST /v1/setup_intents/{id}/confirm. Raises a card error for a card that can't be saved."""
    return await _confirm(call, await _addressed(call))


async def cancel(call: Call) -> Json:
    """POST /v1/setup_intents/{id}/cancel."""
    intent = await call.tx.get("setup_intent", call.id)
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "canceled")
    reason = call.params.get("cancellation_reason")
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    await call.tx.save(intent)
    await emit(call.tx, "setup_intent.canceled", intent)
    return intent


async def authenticate(tx: Transaction, intent_id: str, *, succeeded: bool) -> tuple[Json, StripeError | None]:
    """Act as the cardholder at the bank's page; return the intent and the error of a failed authentication."""
    intent = await tx.get("setup_intent", intent_id)
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticated")
    method = await tx.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if succeeded:
        await _succeed(tx, intent, method)
        return intent, None
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    details = {"payment_method": method}
    error = card_error(message, "setup_intent_authentication_failure", decline_code=None, details=details)
    return intent, await _fail(tx, intent, error)


async def attempt(tx: Transaction, intent: Json, method: Json) -> StripeError | None:
    """Try to save a card; return the card error to answer, or None if it is saved or waits for its holder."""
    card = behaviour(method)
    refuse_detached(method)
    intent["payment_method"] = method["id"]
    intent["last_setup_error"] = None
    if not card.attaches and card.declines is not None:
        return await _fail(tx, intent, declined(card.declines, {"payment_method": method}))
    if not card.authenticates_setup:
        await _succeed(tx, intent, method)
        return None
    url = f"{tx.base_url}/authenticate/{intent['id']}?client_secret={intent['client_secret']}"
    intent["status"] = "requires_action"
    intent["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": intent["_return_url"], "url": url},
    }
    await tx.save(intent)
    await emit(tx, "setup_intent.requires_action", intent)
    return None


async def _addressed(call: Call) -> Json:
    intent = await call.tx.get("setup_intent", call.id)
    given = call.params.get("client_secret")
    if (call.publishable or given is not None) and given != intent["client_secret"]:
        raise missing("setupintent", call.id, "intent")
    return intent


async def _confirm(call: Call, intent: Json) -> Json:
    params, tx = call.params, call.tx
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirmed")
    if "payment_method" in params or intent["payment_method"]:
        method = await resolve(tx, params.get("payment_method") or intent["payment_method"])
    else:
        raise invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
            details={"setup_intent": intent},
        )
    intent["_return_url"] = params.get("return_url", intent["_return_url"])
    error = await attempt(tx, intent, method)
    if error is not None:
        raise error
    return intent


async def _succeed(tx: Transaction, intent: Json, method: Json) -> Json:
    method["_set_up"] = True
    await tx.save(method)
    if intent["customer"]:
        await bind(tx, method, intent["customer"])
    intent |= {"status": "succeeded", "last_setup_error": None}
    await tx.save(intent)
    await emit(tx, "setup_intent.succeeded", intent)
    return intent


async def _fail(tx: Transaction, intent: Json, error: StripeError) -> StripeError:
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_setup_error": dict(error.error)}
    await tx.save(intent)
    await emit(tx, "setup_intent.setup_failed", intent)
    error.error["setup_intent"] = intent
    return error
