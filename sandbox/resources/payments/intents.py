"""What payment intents and setup intents have in common: status, client secret, payment method, authentication."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import StripeError, invalid_request, resource_missing
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.payment_methods.attachment import refuse_used_up
from sandbox.resources.payment_methods.payment_method_object import get_or_create_payment_method
from sandbox.store import Transaction

# the statuses in which an intent can be confirmed or canceled
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")

AUTHENTICATION_FAILED = (
    "We are unable to authenticate your payment method. Please choose a different payment method and try again."
)

_NAMES = {"payment_intent": "PaymentIntent", "setup_intent": "SetupIntent"}
# as Stripe writes them in resource_missing
_NAMES_WHERE_MISSING = {"payment_intent": "payment_intent", "setup_intent": "setupintent"}


def unexpected_state(intent: Json, verb: str) -> StripeError:
    """Return the error for a step that the intent's status does not allow; `verb` names it, such as `canceled`."""
    kind = intent["object"]
    return invalid_request(
        f"This {_NAMES[kind]} could not be {verb} because it has a status of {intent['status']}.",
        code=f"{kind}_unexpected_state",
        details={kind: intent},
    )


async def get_by_id_or_secret(call: Call, kind: str) -> Json:
    """Return the intent in the path. A client secret must be its own; with a publishable key there must be one."""
    intent = await call.tx.get(kind, call.id)
    client_secret = call.params.get("client_secret")
    if (call.publishable or client_secret is not None) and client_secret != intent["client_secret"]:
        raise resource_missing(_NAMES_WHERE_MISSING[kind], call.id, "intent")
    return intent


async def set_payment_method(tx: Transaction, intent: Json, reference: str) -> Json:
    """Set the payment method of an intent that is confirmed later. Raises StripeError for one that it can't use."""
    method = await get_or_create_payment_method(tx, reference)
    await check_usable(tx, intent, method)
    intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return await tx.save(intent)


async def payment_method_to_confirm(tx: Transaction, intent: Json, params: Json) -> Json:
    """Return the payment method to confirm an intent with: the parameter's, or else the intent's own.

    Raises StripeError if there is none, or if the intent can't be confirmed.
    """
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirmed")
    reference = params.get("payment_method") or intent["payment_method"]
    if not reference:
        kind = intent["object"]
        raise invalid_request(
            f"You cannot confirm this {_NAMES[kind]} because it's missing a payment method.",
            code=f"{kind}_unexpected_state",
            details={kind: intent},
        )
    return await get_or_create_payment_method(tx, reference)


async def check_usable(tx: Transaction, intent: Json, method: Json) -> None:
    """Raise a StripeError if the intent's customer was deleted, or the payment method is used up or another customer's."""
    if intent["customer"] is not None:
        await tx.get("customer", intent["customer"], "customer")
    refuse_used_up(method)
    if method["customer"] is not None and method["customer"] != intent["customer"]:
        kind = intent["object"]
        raise invalid_request(
            f"The provided PaymentMethod belongs to another Customer than the {_NAMES[kind]}'s."
            f" Please include the Customer in the `customer` parameter on the {_NAMES[kind]}.",
            param="payment_method",
        )


def refuse_session_intent(intent: Json) -> None:
    """Raise a StripeError for an intent of a Checkout session, which is canceled only with the session."""
    if intent["_session"] is not None:
        kind = intent["object"]
        raise invalid_request(
            f"You cannot cancel this {_NAMES[kind]} because it was created by a Checkout Session."
            " Expire the Checkout Session instead.",
            code=f"{kind}_unexpected_state",
        )


async def require_authentication(tx: Transaction, intent: Json) -> None:
    """Let an intent wait for its cardholder, who has to go to the bank's page."""
    url = f"{tx.base_url}/authenticate/{intent['id']}?client_secret={intent['client_secret']}"
    intent["status"] = "requires_action"
    intent["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": intent["_return_url"], "url": url},
    }
    await tx.save(intent)
    await emit(tx, f"{intent['object']}.requires_action", intent)
