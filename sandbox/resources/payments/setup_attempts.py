"""What happens to a setup intent: attempted with a card, authenticated, succeeded or failed; or canceled."""

from __future__ import annotations

from sandbox.errors import StripeError, card_error
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.payment_methods.attachment import attach_accepted, decline_error
from sandbox.resources.payment_methods.payment_method_object import card_of
from sandbox.resources.payments.intents import (
    AUTHENTICATION_FAILED,
    CONFIRMABLE,
    check_usable,
    require_authentication,
    unexpected_state,
)
from sandbox.store import Transaction


async def attempt_setup(tx: Transaction, intent: Json, method: Json) -> StripeError | None:
    """Try to save a card; return the card error to answer, or None if it is saved or requires authentication."""
    card = card_of(method)
    await check_usable(tx, intent, method)
    intent["payment_method"] = method["id"]
    intent["last_setup_error"] = None
    if not card.can_be_saved and card.decline is not None:
        return await _fail(tx, intent, decline_error(card.decline, {"payment_method": method}))
    if card.setup_authentication:
        await require_authentication(tx, intent)
    else:
        await _succeed(tx, intent, method)
    return None


async def continue_setup(tx: Transaction, intent: Json, method: Json, *, authenticated: bool) -> StripeError | None:
    """Save the card of an intent whose cardholder has authenticated, or fail; return the card error, if any."""
    if authenticated:
        await _succeed(tx, intent, method)
        return None
    error = card_error(
        AUTHENTICATION_FAILED,
        "setup_intent_authentication_failure",
        decline_code=None,
        details={"payment_method": method},
    )
    return await _fail(tx, intent, error)


async def cancel_setup(tx: Transaction, intent: Json, reason: str | None) -> Json:
    """Cancel an intent. Raises StripeError for one that has succeeded or is already canceled."""
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "canceled")
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    await tx.save(intent)
    await emit(tx, "setup_intent.canceled", intent)
    return intent


async def _succeed(tx: Transaction, intent: Json, method: Json) -> None:
    method["_set_up"] = True
    await tx.save(method)
    if intent["customer"]:
        await attach_accepted(tx, method, intent["customer"])
    intent |= {"status": "succeeded", "last_setup_error": None}
    await tx.save(intent)
    await emit(tx, "setup_intent.succeeded", intent)


async def _fail(tx: Transaction, intent: Json, error: StripeError) -> StripeError:
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_setup_error": dict(error.error)}
    await tx.save(intent)
    await emit(tx, "setup_intent.setup_failed", intent)
    error.error["setup_intent"] = intent
    return error
