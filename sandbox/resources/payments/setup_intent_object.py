"""The setup intent object."""

from __future__ import annotations

from sandbox.events import emit
from sandbox.ids import new_client_secret, new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.payment_methods.payment_method_object import allowed_types
from sandbox.store import Transaction


async def create_setup_intent(tx: Transaction, params: Json) -> Json:
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
        "client_secret": new_client_secret(intent_id),
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
        "metadata": merge_metadata({}, params.get("metadata")),
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
