"""The `card` hash of a payment method: when the card expires, and how that changes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import random_text
from sandbox.objects import Json
from sandbox.resources.payment_methods.stripe_test_cards import Card
from sandbox.store import Transaction

# how long a test card is good for, and how much longer a renewed one
LIFETIME_YEARS = 3

# Stripe takes no card that is good for longer
_LONGEST_YEARS = 50

_FINGERPRINT_LENGTH = 16


def new_card_details(card: Card, now: int) -> Json:
    """Return the `card` hash of a new payment method."""
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": _year_and_month(now)[0] + LIFETIME_YEARS,
        "fingerprint": _fingerprint(card.number),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": card.brand != "amex"},
        "wallet": None,
    }


def check_expiry(details: Json, now: int) -> None:
    """Raise a card error unless the month exists and has not passed."""
    year, month = _year_and_month(now)
    if not year <= details["exp_year"] <= year + _LONGEST_YEARS:
        raise _invalid_expiry("year")
    if not (month if details["exp_year"] == year else 1) <= details["exp_month"] <= 12:
        raise _invalid_expiry("month")


async def renew_card(tx: Transaction, method_id: str, given: Json) -> Json:
    """Act as a card network that tells Stripe of the card that replaces a saved one.

    `given` may hold the new `exp_month`, `exp_year` and `last4`; without them the card expires later and keeps its number.
    A new number has another fingerprint. Raises StripeError unless the card is attached to a customer.
    """
    method = await tx.get("payment_method", method_id)
    if method["customer"] is None:
        raise invalid_request("Only a card that is attached to a customer is renewed.")
    if unknown := given.keys() - {"exp_month", "exp_year", "last4"}:
        raise invalid_request(f"A renewed card has exp_month, exp_year and last4, not {', '.join(sorted(unknown))}")
    before = snapshot(method)
    details = method["card"]
    later = max(details["exp_year"], _year_and_month(tx.now)[0]) + LIFETIME_YEARS
    details |= {"exp_year": later} | given
    if not all(type(details[name]) is int for name in ("exp_month", "exp_year")):
        raise invalid_request("exp_month and exp_year are whole numbers")
    check_expiry(details, tx.now)
    last4 = details["last4"]
    if not (isinstance(last4, str) and len(last4) == 4 and last4.isascii() and last4.isdecimal()):
        raise invalid_request("last4 is a text of four digits", param="last4")
    if last4 != before["card"]["last4"]:
        details["fingerprint"] = random_text(_FINGERPRINT_LENGTH)
    await tx.save(method)
    await emit(tx, "payment_method.automatically_updated", method, previous_attributes(before, method))
    return method


def _fingerprint(number: str) -> str:
    """Return what is the same for each payment method of one number, and does not tell the number."""
    return hashlib.sha256(number.encode()).hexdigest()[:_FINGERPRINT_LENGTH]


def _invalid_expiry(part: str) -> StripeError:
    return StripeError(
        402,
        "card_error",
        f"Your card's expiration {part} is invalid.",
        code=f"invalid_expiry_{part}",
        param=f"exp_{part}",
    )


def _year_and_month(now: int) -> tuple[int, int]:
    at = datetime.fromtimestamp(now, UTC)
    return at.year, at.month
