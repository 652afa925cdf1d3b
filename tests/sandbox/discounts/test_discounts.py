"""Coupons, and what they take off the lines of an invoice."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from sandbox.objects import Json
from sandbox.resources.discounts.discount_amounts import amounts_off
from tests.sandbox.refusals import refusal
from tests.sandbox.subscriptions.subscribing import latest_invoice, only_item, subscribe, with_quantity


def discount(percent: str | None = None, amount: int | None = None) -> Json:
    """Return the fields of a discount that the arithmetic reads."""
    return {"id": "di_1", "_percent": percent, "_amount_off": amount}


@pytest.mark.parametrize(
    ("amounts", "given", "off"),
    [
        ([1000, 2000], discount(amount=500), [166, 334]),
        ([500, 1000], discount("10"), [50, 100]),
        ([300], discount(amount=500), [300]),
        ([1000, -200, 0], discount("50"), [500, 0, 0]),
        ([5], discount("10"), [1]),
    ],
)
def test_a_discount_is_spread_over_the_lines(amounts: list[int], given: Json, off: list[int]) -> None:
    assert [sum(entry["amount"] for entry in taken) for taken in amounts_off(amounts, [given])] == off


def test_a_second_discount_counts_from_what_the_first_leaves() -> None:
    [taken] = amounts_off([1000], [discount("50"), discount("50") | {"id": "di_2"}])
    assert taken == [{"amount": 500, "discount": "di_1"}, {"amount": 250, "discount": "di_2"}]


async def test_a_lasting_percentage_is_taken_off_charges_and_credits_of_changes(client: stripe.StripeClient) -> None:
    coupon = await client.v1.coupons.create_async({"percent_off": 10, "duration": "forever"})
    subscription = await subscribe(client, 1000, discounts=[{"coupon": coupon.id}])
    at = only_item(subscription).current_period_start
    await with_quantity(client, subscription, 2, proration_behavior="always_invoice", proration_date=at)
    invoice = await latest_invoice(client, subscription)
    assert [line.amount for line in invoice.lines.data] == [1800, -900]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"duration": "once"}, "percent_off"),
        ({"percent_off": 10, "amount_off": 100, "currency": "eur"}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 100}, "currency"),
        ({"percent_off": 10, "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": 10, "max_redemptions": 1}, "max_redemptions"),
    ],
)
async def test_what_no_coupon_can_be_is_refused(
    client: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    given: Any = params
    refused = await refusal(client.v1.coupons.create_async(given))
    assert (refused.status, refused.param) == (400, param)
