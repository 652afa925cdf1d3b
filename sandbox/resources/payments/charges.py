"""Charges: each attempt to charge a card, successful or failed."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.ids import new_id, random_text
from sandbox.objects import Json
from sandbox.resources.payment_methods.payment_method_object import card_of
from sandbox.resources.payment_methods.stripe_test_cards import Decline
from sandbox.store import Transaction

# how long after its charge a test card opens its dispute
AUTOMATIC_DISPUTE_SECONDS = 1

_RECEIPT_SECRET_LENGTH = 24


async def create_charge(tx: Transaction, intent: Json, method: Json, decline: Decline | None) -> Json:
    """Store the charge of a payment intent's attempt: a failed one with a `decline`, otherwise a successful one."""
    charge_id = new_id("ch")
    paid = decline is None
    charge: Json = {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "COUNTERFOIL SANDBOX",
        "captured": paid,
        "created": tx.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(decline),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": "card", "card": _card_details(method["card"])},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{tx.base_url}/receipts/{charge_id}/{random_text(_RECEIPT_SECRET_LENGTH)}" if paid else None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }
    dispute_reason = card_of(method).dispute_reason if paid else None
    charge["_dispute_reason"] = dispute_reason
    charge["_dispute_at"] = tx.now + AUTOMATIC_DISPUTE_SECONDS if dispute_reason else None
    charge["_receipt"] = (charge["receipt_url"] or "").rpartition("/")[2]
    await tx.insert(charge)
    await emit(tx, "charge.succeeded" if paid else "charge.failed", charge)
    return charge


async def get_paid_charge(tx: Transaction, params: Json) -> Json:
    """Return the successful charge that `charge` or `payment_intent` names. Raises StripeError if there is none."""
    if ("charge" in params) == ("payment_intent" in params):
        raise invalid_request("You must specify exactly one of charge and payment_intent.", param="charge")
    charge_id = params.get("charge")
    if charge_id is None:
        intent = await tx.get("payment_intent", params["payment_intent"], "payment_intent")
        charge_id = intent["latest_charge"]
    if charge_id is None:
        raise invalid_request(
            f"This PaymentIntent ({params['payment_intent']}) does not have a successful charge to refund."
        )
    charge = await tx.get("charge", charge_id, "charge")
    if not charge["paid"]:
        raise invalid_request(f"Charge {charge['id']} did not succeed.", param="charge")
    return charge


def _outcome(decline: Decline | None) -> Json:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": (decline.decline_code or decline.code) if decline else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not approve the payment." if decline else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def _card_details(card: Json) -> Json:
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
    return {name: card[name] for name in shown} | {"network": card["brand"], "three_d_secure": None}
