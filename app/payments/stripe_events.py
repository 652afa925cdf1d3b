"""Stripe's webhook events: which types are wanted, and verifying the signature."""

from __future__ import annotations

import stripe

from app.payments.gateway_values import ProviderEvent
from app.payments.stripe_values import event_value


class SignatureInvalid(Exception):
    """The request was not signed with the endpoint's secret, was signed too long ago, or is no event."""


def verify_event(payload: bytes, signature: str, secret: str) -> ProviderEvent:
    """The event in `payload`; raises `SignatureInvalid` unless `signature` (the `Stripe-Signature` header) proves it Stripe's."""
    try:
        return event_value(stripe.Webhook.construct_event(payload, signature, secret))
    # the SDK takes members of the body for granted
    except (stripe.SignatureVerificationError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SignatureInvalid(str(error)) from error
