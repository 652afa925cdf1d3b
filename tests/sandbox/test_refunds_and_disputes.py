"""Money going back: refunds, and disputes opened, won and lost."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.scenes import event_types, paid_intent


async def test_a_charge_is_refunded_in_parts_and_never_beyond(client: stripe.StripeClient) -> None:
    intent = await paid_intent(client, 1000)
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


async def test_what_was_not_paid_cannot_be_refunded(client: stripe.StripeClient) -> None:
    intent = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.refunds.create_async({"payment_intent": intent.id})


async def test_the_disputing_card_brings_a_dispute_by_itself(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    intent = await paid_intent(client, 1000, "pm_card_createDispute")
    await web.post("/_sandbox/clock", json={"advance_seconds": 5})
    (dispute,) = (await client.v1.disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.amount, dispute.status, dispute.reason) == (1000, "needs_response", "fraudulent")
    assert (await client.v1.charges.retrieve_async(str(intent.latest_charge))).disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("won", ["charge.dispute.funds_reinstated", "charge.dispute.updated", "charge.dispute.closed"]),
        ("lost", ["charge.dispute.updated", "charge.dispute.closed"]),
    ],
)
async def test_a_dispute_is_opened_and_decided_by_the_controls(
    client: stripe.StripeClient, web: httpx.AsyncClient, status: str, told: list[str]
) -> None:
    intent = await paid_intent(client, 1000)
    opened = await web.post("/_sandbox/disputes", json={"payment_intent": intent.id, "amount": 400})
    dispute_id = opened.json()["id"]
    await web.post(f"/_sandbox/disputes/{dispute_id}", json={"status": status})
    dispute = await client.v1.disputes.retrieve_async(dispute_id)
    assert (dispute.amount, dispute.status) == (400, status)
    opening = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert await event_types(client, dispute_id) == opening + told
    again = await web.post(f"/_sandbox/disputes/{dispute_id}", json={"status": "lost"})
    assert again.status_code == 400


@pytest.mark.parametrize("order", [{}, {"charge": "ch_none"}, {"amount": 5}])
async def test_a_dispute_of_nothing_is_refused(web: httpx.AsyncClient, order: dict[str, object]) -> None:
    assert (await web.post("/_sandbox/disputes", json=order)).status_code == 400


@pytest.mark.parametrize(
    ("token", "at_first", "in_the_end", "refunded", "told"),
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
async def test_refunds_of_these_cards_end_a_minute_later(
    client: stripe.StripeClient,
    web: httpx.AsyncClient,
    token: str,
    at_first: str,
    in_the_end: str,
    refunded: int,
    told: list[str],
) -> None:
    intent = await paid_intent(client, 1000, token)
    refund = await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 300})
    assert refund.status == at_first
    assert (await client.v1.charges.retrieve_async(str(intent.latest_charge))).amount_refunded == 300
    await web.post("/_sandbox/clock", json={"advance_seconds": 61})
    assert (await client.v1.refunds.retrieve_async(refund.id)).status == in_the_end
    assert (await client.v1.charges.retrieve_async(str(intent.latest_charge))).amount_refunded == refunded
    assert await event_types(client, refund.id) == ["refund.created", *told]
