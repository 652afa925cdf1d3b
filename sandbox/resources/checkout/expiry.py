"""When a Checkout session expires, and what happens then."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.payments.intents import CONFIRMABLE
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
    """Expire an open session and cancel its intent."""
    session |= {"status": "expired", "url": None}
    await tx.save(session)
    for kind in ("payment_intent", "setup_intent"):
        if session[kind] is not None:
            intent = await tx.get(kind, session[kind])
            if intent["status"] in CONFIRMABLE:
                intent |= {"status": "canceled", "cancellation_reason": "abandoned", "next_action": None}
                await tx.save(intent)
                await emit(tx, f"{kind}.canceled", intent)
    await emit(tx, "checkout.session.expired", session)
    return session
