"""The payment intent object."""

from __future__ import annotations

from typing import Any

from sandbox.events import emit
from sandbox.ids import new_client_secret, new_id
from sandbox.objects import Json
from sandbox.store import Transaction


async def create_payment_intent(tx: Transaction, amount: int, currency: str, **fields: Any) -> Json:
    """Store a new payment intent of `amount` in the currency's smallest unit; `fields` sets any other of its fields."""
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
        "client_secret": new_client_secret(intent_id),
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
    intent |= fields
    await tx.insert(intent)
    await emit(tx, "payment_intent.created", intent)
    return intent
