"""The invoice object and the invoice payment object."""

from __future__ import annotations

from sandbox.objects import Json, list_object

_CUSTOMER_FIELDS = ("address", "email", "name", "phone", "shipping", "tax_exempt")


def new_invoice(invoice_id: str, customer: Json, currency: str, now: int) -> Json:
    """Return an empty draft for a customer."""
    invoice: Json = _empty_invoice() | {
        "id": invoice_id,
        "object": "invoice",
        "account_country": "NL",
        "account_name": "Counterfoil Sandbox",
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "customer": customer["id"],
        "issuer": {"type": "self"},
        "lines": list_object([], f"/v1/invoices/{invoice_id}/lines"),
        "metadata": {},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": now,
        "period_start": now,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
    }
    return invoice | customer_fields(customer)


def customer_fields(customer: Json) -> Json:
    """Return the fields that an invoice copies from its customer until it is finalized."""
    return {f"customer_{name}": customer[name] for name in _CUSTOMER_FIELDS}


def subscription_of(invoice: Json) -> str | None:
    """Return the identifier of the subscription that an invoice bills, if it bills one."""
    parent: Json = invoice["parent"] or {}
    details: Json | None = parent.get("subscription_details")
    return details["subscription"] if details else None


def new_invoice_payment(payment_id: str, invoice: Json, intent_id: str, now: int) -> Json:
    """Return the invoice payment, which connects a payment intent with the invoice that it pays."""
    return {
        "id": payment_id,
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent_id},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def _empty_invoice() -> Json:
    """Return the fields of an invoice that are empty at first, or always in the sandbox."""
    return {
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatically_finalizes_at": None,
        "custom_fields": None,
        "customer_account": None,
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "statement_descriptor": None,
        "status_details": None,
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
        "_default_tax_rates": [],
        "_discounts": [],
        "_subscription_lines": [],
        "_secret": None,
    }
