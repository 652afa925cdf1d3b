"""When a Checkout session expires, and what happens then."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.checkout.subscribing import give_up
from sandbox.resources.payments.intents import CONFIRMABLE
from sandbox.resources.payments.payment_attempts import cancel_payment
from sandbox.resources.payments.setup_attempts import cancel_setup
from sandbox.store import Transaction

SHORTEST_MINUTES = 30
LONGEST_HOURS = 24

# a caller computes the time some moments before the call
_TOLERANCE_SECONDS = 60


def expiry_time(tx: Transaction, params: Json) -> int:
    """Return the parameter `expires_at`, or the latest time possible. Raises StripeError for one that is not possible."""
    latest = tx.now + LONGEST_HOURS * 3600
    expires_at = params.get("expires_at", latest)
    if not tx.now + SHORTEST_MINUTES * 60 - _TOLERANCE_SECONDS <= expires_at <= latest:
        raise invalid_request(
            f"The `expires_at` timestamp must be at least {SHORTEST_MINUTES} minutes and less than {LONGEST_HOURS} hours"
            " from session creation.",
            param="expires_at",
        )
    return expires_at


async def expire_session(tx: Transaction, session: Json) -> Json:
    """Expire an open session, cancel its intent, and end the subscription that it made."""
    session |= {"status": "expired", "url": None}
    await tx.save(session)
    for kind, cancel in (("payment_intent", cancel_payment), ("setup_intent", cancel_setup)):
        if session[kind] is not None:
            intent = await tx.get(kind, session[kind])
            if intent["status"] in CONFIRMABLE:
                await cancel(tx, intent, "abandoned")
    await give_up(tx, session)
    await emit(tx, "checkout.session.expired", session)
    return session


async def expire_sessions_of_deleted_customer(tx: Transaction, customer: Json) -> None:
    """Expire the open sessions of a customer, once the customer is deleted: nobody is there to pay."""
    if customer.get("deleted"):
        for session in await tx.find_all("checkout.session", {"customer": customer["id"], "status": "open"}):
            await expire_session(tx, session)
