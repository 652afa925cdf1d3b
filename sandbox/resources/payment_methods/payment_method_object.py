"""The payment method object, and the test card behind it."""

from __future__ import annotations

from sandbox.addresses import full_or_empty_address
from sandbox.emails import check_email
from sandbox.errors import StripeError, invalid_request, resource_missing
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.payment_methods.card_details import check_expiry, new_card_details
from sandbox.resources.payment_methods.stripe_test_cards import BY_NUMBER, BY_TOKEN, Card
from sandbox.store import Transaction


def card_from_params(params: Json) -> Card:
    """Return the test card that the parameters `type` and `card` name. Raises StripeError for any other."""
    given = params.get("card", {})
    if params.get("type") != "card" or not given:
        raise invalid_request("The sandbox implements payment methods of type card only.", param="type")
    if "token" in given:
        card = BY_TOKEN.get(given["token"].replace("tok_", "pm_card_", 1))
    else:
        card = BY_NUMBER.get(given.get("number", "").replace(" ", ""))
    if card is None:
        raise StripeError(402, "card_error", "Your card number is incorrect.", code="incorrect_number", param="number")
    return card


def card_of(method: Json) -> Card:
    """Return the test card behind a payment method."""
    return BY_TOKEN[method["_card"]]


async def create_payment_method(tx: Transaction, card: Card, params: Json) -> Json:
    """Store a new payment method for a test card, which expires when `card` says so."""
    billing = params.get("billing_details", {})
    check_email(billing.get("email"), "billing_details[email]")
    given = params.get("card", {})
    details = new_card_details(card, tx.now) | {
        name: given[name] for name in ("exp_month", "exp_year") if name in given
    }
    check_expiry(details, tx.now)
    method: Json = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": params.get("allow_redisplay", "unspecified"),
        "billing_details": {
            "address": full_or_empty_address(billing.get("address"), "billing_details[address]"),
            "email": billing.get("email") or None,
            "name": billing.get("name") or None,
            "phone": billing.get("phone") or None,
            "tax_id": None,
        },
        "card": details,
        "created": tx.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "type": "card",
        "_card": card.token,
        "_set_up": False,
    }
    return await tx.insert(method)


async def get_or_create_payment_method(tx: Transaction, reference: str) -> Json:
    """Return the payment method with an identifier; a test token `pm_card_…` creates a new one.

    Raises resource_missing for anything else.
    """
    if reference in BY_TOKEN:
        return await create_payment_method(tx, BY_TOKEN[reference], {})
    found = await tx.find_including_deleted("payment_method", reference)
    if found is None:
        raise resource_missing("PaymentMethod", reference, "payment_method", 400)
    return found


def allowed_types(params: Json) -> list[str] | None:
    """Return the parameter `allowed_payment_method_types`. Raises StripeError unless it allows cards."""
    allowed = params.get("allowed_payment_method_types")
    if allowed is not None and "card" not in allowed:
        raise invalid_request(
            "The sandbox implements payment methods of type card only.", param="allowed_payment_method_types"
        )
    return allowed
