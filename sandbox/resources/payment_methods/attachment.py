"""Attaching a payment method to a customer, and detaching it."""

from __future__ import annotations

from sandbox.errors import StripeError, card_error, invalid_request
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.payment_methods.payment_method_object import card_of, get_or_create_payment_method
from sandbox.resources.payment_methods.stripe_test_cards import Decline
from sandbox.store import Transaction


async def attach_to_customer(tx: Transaction, reference: str, customer: Json) -> Json:
    """Attach a payment method, if the bank accepts the card. Raises a card error, which keeps no changes, if it doesn't."""
    method = await get_or_create_payment_method(tx, reference)
    card = card_of(method)
    if not card.can_be_saved and card.decline is not None:
        error = decline_error(card.decline, {"payment_method": method})
        error.keeps_changes = False
        raise error
    return await attach_accepted(tx, method, customer["id"])


async def attach_accepted(tx: Transaction, method: Json, customer_id: str) -> Json:
    """Attach a payment method that the bank has accepted. Raises StripeError if it belongs to another customer."""
    if method["customer"] == customer_id:
        return method
    refuse_used_up(method)
    if method["customer"] is not None:
        raise invalid_request(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    method["customer"] = customer_id
    await tx.save(method)
    await emit(tx, "payment_method.attached", method)
    return method


async def detach_from_customer(tx: Transaction, method: Json) -> None:
    """Detach a payment method: it may not be used again."""
    customer_id, method["customer"] = method["customer"], None
    method["_detached"] = True
    await tx.save(method)
    await emit(tx, "payment_method.detached", method, {"customer": customer_id})


def refuse_used_up(method: Json) -> None:
    """Raise a StripeError for a payment method that was detached, or has paid without being attached to a customer."""
    if method.get("_detached") or method.get("_paid_unattached"):
        raise invalid_request(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with"
            " a connected account without Customer attachment, or was detached from a Customer. It may not be used again."
            " To use a PaymentMethod multiple times, you must attach it to a Customer first.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )


def not_attached_error(method_id: str, param: str) -> StripeError:
    """Return the error for a payment method that is not attached to the customer who is to pay with it."""
    return invalid_request(
        f"The customer does not have a payment method with the ID {method_id}."
        " The payment method must be attached to the customer.",
        code="resource_missing",
        param=param,
    )


def decline_error(decline: Decline, details: Json) -> StripeError:
    """Return the card error for a decline."""
    return card_error(decline.message, decline.code, decline_code=decline.decline_code, details=details)
