"""The state machine of a payment intent: made, attempted with a card, authenticated, succeeded or failed."""

from __future__ import annotations

from typing import Any

from sandbox.errors import Json, StripeError, card_error, invalid
from sandbox.events import emit
from sandbox.ids import new_id, random_text
from sandbox.resources.payment_methods.cards import Decline
from sandbox.resources.payment_methods.payment_methods import behaviour, bind, declined, refuse_detached
from sandbox.resources.payments import charges
from sandbox.store import Transaction

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")

_AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
_AUTHENTICATION_FAILED = (
    "We are unable to authenticate your payment method. Please choose a different payment method and try again."
)


async def make_intent(tx: Transaction, amount: int, currency: str, **given: Any) -> Json:
    """Store a new payment intent of `amount` minor units; `given` sets any other of its fields."""
    intent_id = new_id("pi")
    intent: Json = {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{intent_id}_secret_{random_text(24)}",
        "confirmation_method": "automatic",
        "created": tx.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_invoice": None,
        "_session": None,
        "_return_url": None,
    }
    await tx.insert(intent | given)
    await emit(tx, "payment_intent.created", intent | given)
    return intent | given


async def attempt(tx: Transaction, intent: Json, method: Json, *, off_session: bool) -> StripeError | None:
    """Try to take the money from a card; return the card error to answer, or None.

    None means that the intent has succeeded or waits for its holder (`requires_action`). An intent of an invoice waits
    for the holder also when it was tried off-session, so that the invoice can still be paid with it.
    """
    _check_usable(intent, method)
    card = behaviour(method)
    intent["payment_method"] = method["id"]
    intent["last_payment_error"] = None
    intent["next_action"] = None
    if off_session:
        asks = card.off_session == "always" or (card.off_session == "unless_set_up" and not method["_set_up"])
    else:
        asks = card.authenticates_payment
    if not asks:
        return await _charge(tx, intent, method)
    if off_session:
        charge = await charges.record(tx, intent, method, _AUTHENTICATION_REQUIRED)
        intent["latest_charge"] = charge["id"]
        if intent["_invoice"] is None:
            return await _fail(tx, intent, method, _AUTHENTICATION_REQUIRED, charge)
        intent["last_payment_error"] = _shown(_AUTHENTICATION_REQUIRED, method, charge)
    await _ask_holder(tx, intent)
    if not off_session:
        return None
    return declined(_AUTHENTICATION_REQUIRED, _attached(intent, method))


async def finish_authentication(tx: Transaction, intent: Json, *, succeeded: bool) -> StripeError | None:
    """Go on with an intent that waited for its holder; return the card error of a charge declined thereafter.

    Raises StripeError if the intent does not wait for anybody.
    """
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticated")
    method = await tx.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    intent["last_payment_error"] = None
    if succeeded:
        return await _charge(tx, intent, method)
    failure = Decline("payment_intent_authentication_failure", None, _AUTHENTICATION_FAILED)
    return await _fail(tx, intent, method, failure, None)


async def cancel(tx: Transaction, intent: Json, reason: str | None) -> Json:
    """End an intent that has not been paid. Raises StripeError for one that has, or that has been canceled."""
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "canceled")
    intent |= {"status": "canceled", "canceled_at": tx.now, "cancellation_reason": reason, "next_action": None}
    await tx.save(intent)
    await emit(tx, "payment_intent.canceled", intent)
    return intent


def unexpected_state(intent: Json, verb: str) -> StripeError:
    """Return the refusal of a step that the intent's status does not allow."""
    noun = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
    return invalid(
        f"This {noun} could not be {verb} because it has a status of {intent['status']}.",
        code=f"{intent['object']}_unexpected_state",
        details={intent["object"]: intent},
    )


def _check_usable(intent: Json, method: Json) -> None:
    refuse_detached(method)
    if method["customer"] is not None and method["customer"] != intent["customer"]:
        raise invalid(
            "The provided PaymentMethod belongs to another Customer than the PaymentIntent's."
            " Please include the Customer in the `customer` parameter on the PaymentIntent.",
            param="payment_method",
        )


async def _charge(tx: Transaction, intent: Json, method: Json) -> StripeError | None:
    decline = behaviour(method).declines
    charge = await charges.record(tx, intent, method, decline)
    intent["latest_charge"] = charge["id"]
    if decline is not None:
        return await _fail(tx, intent, method, decline, charge)
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    if intent["setup_future_usage"] and intent["customer"]:
        method["_set_up"] = True
        await tx.save(method)
        await bind(tx, method, intent["customer"])
    await tx.save(intent)
    await emit(tx, "payment_intent.succeeded", intent)
    return None


async def _ask_holder(tx: Transaction, intent: Json) -> None:
    url = f"{tx.base_url}/authenticate/{intent['id']}?client_secret={intent['client_secret']}"
    intent["status"] = "requires_action"
    intent["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": intent["_return_url"], "url": url},
    }
    await tx.save(intent)
    await emit(tx, "payment_intent.requires_action", intent)


async def _fail(tx: Transaction, intent: Json, method: Json, decline: Decline, charge: Json | None) -> StripeError:
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_payment_error"] = _shown(decline, method, charge)
    await tx.save(intent)
    await emit(tx, "payment_intent.payment_failed", intent)
    details = _attached(intent, method) | ({"charge": charge["id"]} if charge else {})
    return card_error(decline.message, decline.code, decline_code=decline.decline_code, details=details)


def _shown(decline: Decline, method: Json, charge: Json | None) -> Json:
    shown = declined(decline, {"payment_method": method}).error
    return shown | ({"charge": charge["id"]} if charge else {})


def _attached(intent: Json, method: Json) -> Json:
    return {"payment_intent": intent, "payment_method": method}
