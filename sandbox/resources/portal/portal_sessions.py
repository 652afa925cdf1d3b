"""Portal sessions: the link by which a customer opens the portal, for some time."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import StripeError, invalid_request, missing_param
from sandbox.ids import new_id, random_text
from sandbox.objects import Json
from sandbox.store import Transaction

# a link must be opened within this time, and is good for so long after it was used last
UNOPENED_SECONDS = 300
UNUSED_SECONDS = 3600

_SECRET_LENGTH = 40


async def create(call: Call) -> Json:
    """POST /v1/billing_portal/sessions, for a customer and with a configuration."""
    tx, params = call.tx, call.params
    if "customer" not in params:
        raise missing_param("customer")
    customer = await tx.get("customer", params["customer"], "customer")
    if "configuration" not in params:
        raise invalid_request(
            "No configuration provided and your test mode default configuration has not been created. Provide a"
            " configuration or create your default by saving your customer portal settings in test mode at"
            " https://dashboard.stripe.com/test/settings/billing/portal."
        )
    configuration = await tx.get("billing_portal.configuration", params["configuration"], "configuration")
    if not configuration["active"]:
        raise invalid_request("The configuration is not active.", param="configuration")
    secret = random_text(_SECRET_LENGTH)
    session_id = new_id("bps")
    session: Json = {
        "id": session_id,
        "object": "billing_portal.session",
        "after_expiration": None,
        "configuration": configuration["id"],
        "created": tx.now,
        "customer": customer["id"],
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url") or configuration["default_return_url"],
        "url": f"{tx.base_url}/portal/{session_id}/{secret}",
        "_secret": secret,
        "_usable_until": tx.now + UNOPENED_SECONDS,
    }
    return await tx.insert(session)


async def use_session(tx: Transaction, session: Json) -> None:
    """Note that a session is used now. Raises StripeError for one whose time is over, or whose customer was deleted."""
    if session["_usable_until"] < tx.now:
        raise StripeError(410, "invalid_request_error", "This link has expired. Go back and open the portal again.")
    await tx.get("customer", session["customer"], "customer")
    await tx.save(session | {"_usable_until": tx.now + UNUSED_SECONDS})
