"""Identifiers and secrets in Stripe's form: a prefix for the kind of object, then random letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 24
_CLIENT_SECRET_LENGTH = 24

KIND_OF_PREFIX = {
    "bpc": "billing_portal.configuration",
    "ch": "charge",
    "cn": "credit_note",
    "cs": "checkout.session",
    "cus": "customer",
    "di": "discount",
    "dp": "dispute",
    "evt": "event",
    "ii": "invoiceitem",
    "in": "invoice",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "pm": "payment_method",
    "price": "price",
    "prod": "product",
    "re": "refund",
    "seti": "setup_intent",
    "si": "subscription_item",
    "sub": "subscription",
    "sub_sched": "subscription_schedule",
    "txi": "tax_id",
    "txr": "tax_rate",
    "we": "webhook_endpoint",
}


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as `cus_N4jG…`."""
    return f"{prefix}_{random_text(_ID_LENGTH)}"


def new_client_secret(intent_id: str) -> str:
    """Return a fresh client secret for a payment intent or a setup intent."""
    return f"{intent_id}_secret_{random_text(_CLIENT_SECRET_LENGTH)}"


def random_text(length: int) -> str:
    """Return `length` random letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def kind_of(object_id: str) -> str | None:
    """Return the kind of object that an identifier's prefix stands for, or None for a prefix that is not known."""
    if "_" not in object_id:
        return None
    # of `sub_sched_…` the longer prefix counts, of `cs_test_…` the shorter one
    return KIND_OF_PREFIX.get(object_id.rpartition("_")[0]) or KIND_OF_PREFIX.get(object_id.partition("_")[0])
