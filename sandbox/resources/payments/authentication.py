"""What follows when the cardholder has authenticated, or failed to, at the bank's page."""

from __future__ import annotations

from sandbox.errors import StripeError
from sandbox.objects import Json
from sandbox.resources.payments.intents import check_usable, unexpected_state
from sandbox.resources.payments.payment_attempts import continue_payment
from sandbox.resources.payments.setup_attempts import continue_setup
from sandbox.store import Transaction


async def finish_authentication(tx: Transaction, intent: Json, *, succeeded: bool) -> StripeError | None:
    """Go on with an intent that required authentication; return the card error if it failed, also if declined after it.

    Raises StripeError if the intent does not require authentication, or can't use its payment method any more.
    """
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticated")
    method = await tx.get("payment_method", intent["payment_method"])
    await check_usable(tx, intent, method)
    intent["next_action"] = None
    continue_intent = continue_payment if intent["object"] == "payment_intent" else continue_setup
    error = await continue_intent(tx, intent, method, authenticated=succeeded)
    await tx.update_dependents(intent)
    return error
