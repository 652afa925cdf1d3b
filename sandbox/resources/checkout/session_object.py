"""The Checkout session object."""

from __future__ import annotations

from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.store import Transaction


def new_session(session_id: str, params: Json, customer: Json, tx: Transaction) -> Json:
    """Return an open session without amounts."""
    paying = params["mode"] == "payment"
    return _empty_session() | {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": tx.now,
        "currency": params.get("currency"),
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer["id"],
        "customer_details": {
            "address": customer["address"],
            "business_name": None,
            "email": customer["email"],
            "individual_name": None,
            "name": customer["name"],
            "phone": customer["phone"],
            "tax_exempt": customer["tax_exempt"],
            "tax_ids": [],
        },
        "invoice_creation": _invoice_creation(params.get("invoice_creation", {})) if paying else None,
        "locale": params.get("locale"),
        "metadata": merge_metadata({}, params.get("metadata")),
        "mode": params["mode"],
        "payment_method_collection": params.get("payment_method_collection", "if_required" if paying else "always"),
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if params["mode"] == "setup" else "unpaid",
        "phone_number_collection": {"enabled": False},
        "status": "open",
        "submit_type": params.get("submit_type"),
        "success_url": params["success_url"],
        "tax_id_collection": {"enabled": False, "required": "never"} | params.get("tax_id_collection", {}),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{tx.base_url}/checkout/{session_id}",
        "_customer_update": params.get("customer_update", {}),
        "_details": {},
        "_payment_intent_data": params.get("payment_intent_data", {}),
        "_subscription_data": params.get("subscription_data", {}),
    }


def set_lines(session: Json, lines: list[Json]) -> None:
    """Set the line items of a session, and its amounts, which are their sums."""
    session |= {
        "amount_subtotal": sum(line["amount_subtotal"] for line in lines),
        "amount_total": sum(line["amount_total"] for line in lines),
        "_line_items": lines,
    }
    session["total_details"]["amount_tax"] = sum(line["amount_tax"] for line in lines)


def _invoice_creation(given: Json) -> Json:
    data = given.get("invoice_data", {})
    return {
        "enabled": given.get("enabled", False),
        "invoice_data": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": data.get("description"),
            "footer": data.get("footer"),
            "issuer": None,
            "metadata": merge_metadata({}, data.get("metadata")),
            "rendering_options": None,
        },
    }


def _empty_session() -> Json:
    """Return the fields of a session that are empty at first, or always in the sandbox."""
    return {
        "after_expiration": None,
        "allow_promotion_codes": None,
        "allowed_payment_method_types": None,
        "amount_subtotal": None,
        "amount_total": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency_conversion": None,
        "custom_fields": [],
        "customer_account": None,
        "customer_creation": None,
        "customer_email": None,
        "discounts": [],
        "expires_at": 0,
        "invoice": None,
        "livemode": False,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_configuration_details": None,
        "permissions": None,
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "subscription": None,
        "wallet_options": None,
        "_intent": None,
        "_line_items": [],
        "_subscription": None,
    }
