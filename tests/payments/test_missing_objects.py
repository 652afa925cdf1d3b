"""A refusal because an object is gone says which kind of object it was."""

from __future__ import annotations

import pytest
import stripe

from app.payments.gateway_errors import GatewayMissing, GatewayRefused, MissingObject
from app.payments.stripe_calls import StripeCalls

_OTHER_MODE = "No such customer: 'cus_1'; a similar object exists in test mode, but a live mode key was used."


async def _refusal(message: str, *, code: str | None = "resource_missing", status: int = 404) -> GatewayRefused:
    """How the gateway raises Stripe's error."""

    async def call() -> None:
        body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
        raise stripe.InvalidRequestError(message, "customer", code=code, http_status=status, json_body=body)

    calls = StripeCalls(stripe.StripeClient("sk_test_none").v1, lambda point: None)
    with pytest.raises(GatewayRefused) as raised:
        await calls.step("a_call", call)
    return raised.value


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("No such customer: 'cus_1'", MissingObject.CUSTOMER),
        ("No such PaymentMethod: 'pm_1'; It's possible that it exists elsewhere.", MissingObject.CARD),
        ("No such payment_method: 'pm_1'", MissingObject.CARD),
        ("No such price: 'price_1'", MissingObject.PRICE),
        ("No such tax rate: 'txr_1'", MissingObject.TAX_RATE),
        ("No such invoice: 'in_1'", MissingObject.INVOICE),
        ("No such checkout.session: 'cs_1'", MissingObject.OTHER),
    ],
)
@pytest.mark.parametrize("status", [400, 404])
async def test_what_is_gone_is_told_by_its_kind(message: str, kind: MissingObject, status: int) -> None:
    refusal = await _refusal(message, status=status)

    assert isinstance(refusal, GatewayMissing)
    assert refusal.kind is kind


async def test_an_object_of_the_other_mode_is_not_gone() -> None:
    assert type(await _refusal(_OTHER_MODE)) is GatewayRefused


async def test_a_refusal_of_another_kind_is_no_missing_object() -> None:
    assert type(await _refusal("No such customer: 'cus_1'", code=None)) is GatewayRefused
