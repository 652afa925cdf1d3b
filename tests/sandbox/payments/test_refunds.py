"""Refunds."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import confirmed_intent


async def test_a_charge_is_refunded_in_parts_up_to_its_amount(client: stripe.StripeClient) -> None:
    intent = await confirmed_intent(client, 1000)
    part = await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 300})
    assert (part.status, part.amount, part.charge) == ("succeeded", 300, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 701})
    rest = await client.v1.refunds.create_async({"charge": str(intent.latest_charge)})
    charge = await client.v1.charges.retrieve_async(str(intent.latest_charge), {"expand": ["refunds"]})
    assert (rest.amount, charge.amount_refunded, charge.refunded) == (700, 1000, True)
    assert charge.refunds is not None
    assert [refund.id for refund in charge.refunds.data] == [rest.id, part.id]
    assert (await event_types(client, charge.id)).count("charge.refunded") == 2
    with pytest.raises(stripe.InvalidRequestError) as again:
        await client.v1.refunds.create_async({"charge": charge.id})
    assert again.value.code == "charge_already_refunded"


async def test_an_unpaid_payment_intent_cannot_be_refunded(client: stripe.StripeClient) -> None:
    intent = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.refunds.create_async({"payment_intent": intent.id})


@pytest.mark.parametrize(
    ("token", "first_status", "later_status", "refunded_amount", "later_events"),
    [
        ("pm_card_pendingRefund", "pending", "succeeded", 300, ["refund.updated", "charge.refund.updated"]),
        (
            "pm_card_refundFail",
            "succeeded",
            "failed",
            0,
            ["refund.failed", "refund.updated", "charge.refund.updated"],
        ),
    ],
)
async def test_refunds_of_these_cards_change_their_status_a_minute_later(
    client: stripe.StripeClient,
    web: httpx.AsyncClient,
    token: str,
    first_status: str,
    later_status: str,
    refunded_amount: int,
    later_events: list[str],
) -> None:
    intent = await confirmed_intent(client, 1000, token)
    refund = await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 300})
    assert refund.status == first_status
    assert (await client.v1.charges.retrieve_async(str(intent.latest_charge))).amount_refunded == 300
    await web.post("/_sandbox/clock", json={"advance_seconds": 61})
    assert (await client.v1.refunds.retrieve_async(refund.id)).status == later_status
    assert (await client.v1.charges.retrieve_async(str(intent.latest_charge))).amount_refunded == refunded_amount
    assert await event_types(client, refund.id) == ["refund.created", *later_events]
