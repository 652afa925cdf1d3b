"""What every call to Stripe shares: the client, translating errors, and the fault points for crash tests."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import stripe
from stripe import V1Services

from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable, MissingObject, NothingToBill

T = TypeVar("T")

PAGE: Final = 100
# Stripe's answers that mean "not now": too many requests, a lock held by another request, and its own failures
_TRANSIENT = frozenset({409, 429, 500, 502, 503, 504})
# Stripe says "No such customer: 'cus_…'" of what was deleted or never was; `code` and `param` alone don't tell the kind of object
_MISSING: Final = re.compile(r"No such (?P<noun>[^:]+):")
_KINDS: Final = {
    "customer": MissingObject.CUSTOMER,
    "payment_method": MissingObject.CARD,
    "paymentmethod": MissingObject.CARD,
    "price": MissingObject.PRICE,
    "product": MissingObject.PRODUCT,
    "tax_rate": MissingObject.TAX_RATE,
    "invoice": MissingObject.INVOICE,
    "subscription": MissingObject.SUBSCRIPTION,
    "subscription_schedule": MissingObject.SCHEDULE,
    "configuration": MissingObject.PORTAL,
    "billing_portal.configuration": MissingObject.PORTAL,
}
# the key is of the other mode than the object, which is still there
_OF_OTHER_MODE: Final = "a similar object exists in"


class StripeCalls:
    """A part of the gateway.

    `fault` is called with a name before and after each call.
    """

    def __init__(self, client: V1Services, fault: Callable[[str], None]) -> None:
        self.stripe = client
        self.fault = fault

    async def step(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """What Stripe answers to one call, reads included; `name` names it for crash tests."""
        self.fault(f"stripe.{name}:before")
        try:
            return await _as_gateway_errors(call)
        finally:
            self.fault(f"stripe.{name}:after")


async def _as_gateway_errors(call: Callable[[], Awaitable[T]]) -> T:
    """Call Stripe, and raise its errors, except those about cards, as errors of the gateway."""
    try:
        return await call()
    except stripe.CardError:
        raise
    except stripe.APIConnectionError as error:
        raise GatewayUnavailable(str(error)) from error
    except stripe.StripeError as error:
        if error.http_status in _TRANSIENT:
            raise GatewayUnavailable(str(error)) from error
        raise _refusal(error) from error


def _refusal(error: stripe.StripeError) -> GatewayRefused:
    """The refusal, as `GatewayMissing` where an object that the request names is gone."""
    if error.code == "invoice_upcoming_none":
        return NothingToBill(str(error))
    found = _MISSING.search(error.user_message or "") if error.code == "resource_missing" else None
    if found is None or _OF_OTHER_MODE in (error.user_message or ""):
        return GatewayRefused(str(error))
    noun = found["noun"].lower().replace(" ", "_")
    return GatewayMissing(str(error), _KINDS.get(noun, MissingObject.OTHER))


def keyed(key: str) -> Any:
    """The options of a call with an idempotency key."""
    return {"idempotency_key": key}
