"""What every call to Stripe shares: the client, translating errors, and the fault points for crash tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import stripe
from stripe import V1Services

from app.payments.gateway_values import GatewayRefused, GatewayUnavailable

T = TypeVar("T")

PAGE: Final = 100
# Stripe's answers that mean "not now": too many requests, a lock held by another request, and its own failures
_TRANSIENT = frozenset({409, 429, 500, 502, 503, 504})


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
    """Call Stripe, and raise its errors, except those about cards, as `GatewayUnavailable` or `GatewayRefused`."""
    try:
        return await call()
    except stripe.CardError:
        raise
    except stripe.APIConnectionError as error:
        raise GatewayUnavailable(str(error)) from error
    except stripe.StripeError as error:
        if error.http_status in _TRANSIENT:
            raise GatewayUnavailable(str(error)) from error
        raise GatewayRefused(str(error)) from error


def keyed(key: str) -> Any:
    """The options of a call with an idempotency key."""
    return {"idempotency_key": key}
