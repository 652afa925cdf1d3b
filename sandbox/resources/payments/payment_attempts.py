"""What happens to a payment intent: attempted with a card, authenticated, succeeded or failed; or canceled."""

from __future__ import annotations

from sandbox.errors import StripeError
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.payment_methods.attachment import attach_accepted, decline_error
from sandbox.resources.payment_methods.payment_method_object import card_of
from sandbox.resources.payment_methods.stripe_test_cards import Decline
from sandbox.resources.payments.charges import create_charge
from sandbox.resources.payments.intents import (
    AUTHENTICATION_FAILED,
    CONFIRMABLE,
    check_usable,
    require_authentication,
    unexpected_state,
)
from sandbox.store import Transaction

_AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
_AUTHENTICATION_FAILURE = Decline("payment_intent_authentication_failure", None, AUTHENTICATION_FAILED)


async def attempt_payment(tx: Transaction, intent: Json, method: Json, *, off_session: bool) -> StripeError | None:
    """Try to charge a card; return the card error to answer, or None.

    None means that the intent has succeeded or requires authentication (`requires_action`). The intent of an invoice
    requires authentication also when it was tried off-session, so that it can still pay the invoice.
    """
    await check_usable(tx, intent, method)
    intent["payment_method"] = method["id"]
    intent["last_payment_error"] = None
    intent["next_action"] = None
    if not _needs_authentication(method, off_session=off_session):
        return await _charge(tx, intent, method)
    if off_session:
        charge = await create_charge(tx, intent, method, _AUTHENTICATION_REQUIRED)
        intent["latest_charge"] = charge["id"]
        if intent["_invoice"] is None:
            return await _fail(tx, intent, method, _AUTHENTICATION_REQUIRED, charge)
        intent["last_payment_error"] = _last_payment_error(_AUTHENTICATION_REQUIRED, method, charge)
    await require_authentication(tx, intent)
    if not off_session:
        return None
    return decline_error(_AUTHENTICATION_REQUIRED, {"payment_intent": intent, "payment_method": method})


async def continue_payment(tx: Transaction, intent: Json, method: Json, *, authenticated: bool) -> StripeError | None:
    """Charge the card of an intent whose cardholder has authenticated, or fail; return the card error, if any."""
    intent["last_payment_error"] = None
    if authenticated:
        return await _charge(tx, intent, method)
    return await _fail(tx, intent, method, _AUTHENTICATION_FAILURE, None)


async def cancel_payment(tx: Transaction, intent: Json, reason: str | None) -> Json:
    """Cancel an intent. Raises StripeError for one that has succeeded or is already canceled."""
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "canceled")
    intent |= {"status": "canceled", "canceled_at": tx.now, "cancellation_reason": reason, "next_action": None}
    await tx.save(intent)
    await emit(tx, "payment_intent.canceled", intent)
    return intent


def _needs_authentication(method: Json, *, off_session: bool) -> bool:
    card = card_of(method)
    if not off_session:
        return card.payment_authentication
    return card.off_session_authentication == "always" or (
        card.off_session_authentication == "unless_set_up" and not method["_set_up"]
    )


async def _charge(tx: Transaction, intent: Json, method: Json) -> StripeError | None:
    decline = card_of(method).decline
    charge = await create_charge(tx, intent, method, decline)
    intent["latest_charge"] = charge["id"]
    if decline is not None:
        return await _fail(tx, intent, method, decline, charge)
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    if intent["setup_future_usage"] and intent["customer"]:
        method["_set_up"] = True
        await tx.save(method)
        await attach_accepted(tx, method, intent["customer"])
    elif method["customer"] is None:
        await tx.save(method | {"_paid_unattached": True})
    await tx.save(intent)
    await emit(tx, "payment_intent.succeeded", intent)
    return None


async def _fail(tx: Transaction, intent: Json, method: Json, decline: Decline, charge: Json | None) -> StripeError:
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_payment_error"] = _last_payment_error(decline, method, charge)
    await tx.save(intent)
    await emit(tx, "payment_intent.payment_failed", intent)
    details = {"payment_intent": intent, "payment_method": method} | _id_of(charge)
    return decline_error(decline, details)


def _last_payment_error(decline: Decline, method: Json, charge: Json | None) -> Json:
    return decline_error(decline, {"payment_method": method}).error | _id_of(charge)


def _id_of(charge: Json | None) -> Json:
    return {"charge": charge["id"]} if charge else {}
