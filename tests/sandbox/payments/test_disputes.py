"""Disputes: opened, won and lost."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import confirmed_intent
from tests.sandbox.refusals import refusal


async def test_a_charge_of_the_dispute_card_is_disputed_by_itself(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    intent = await confirmed_intent(client, 1000, "pm_card_createDispute")
    await web.post("/_sandbox/clock", json={"advance_seconds": 5})
    (dispute,) = (await client.v1.disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.amount, dispute.status, dispute.reason) == (1000, "needs_response", "fraudulent")
    assert (await client.v1.charges.retrieve_async(str(intent.latest_charge))).disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("status", "later_events"),
    [
        ("won", ["charge.dispute.funds_reinstated", "charge.dispute.updated", "charge.dispute.closed"]),
        ("lost", ["charge.dispute.updated", "charge.dispute.closed"]),
    ],
)
async def test_a_dispute_is_opened_and_decided_by_the_controls(
    client: stripe.StripeClient, web: httpx.AsyncClient, status: str, later_events: list[str]
) -> None:
    intent = await confirmed_intent(client, 1000)
    opened = await web.post("/_sandbox/disputes", json={"payment_intent": intent.id, "amount": 400})
    dispute_id = opened.json()["id"]
    await web.post(f"/_sandbox/disputes/{dispute_id}", json={"status": status})
    dispute = await client.v1.disputes.retrieve_async(dispute_id)
    assert (dispute.amount, dispute.status) == (400, status)
    opening = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert await event_types(client, dispute_id) == opening + later_events
    again = await web.post(f"/_sandbox/disputes/{dispute_id}", json={"status": "lost"})
    assert again.status_code == 400


@pytest.mark.parametrize("body", [{}, {"charge": "ch_none"}, {"amount": 5}])
async def test_a_dispute_needs_a_successful_charge(web: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await web.post("/_sandbox/disputes", json=body)).status_code == 400


async def test_a_dispute_that_the_merchant_gives_up_is_lost(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    intent = await confirmed_intent(client)
    dispute = (await web.post("/_sandbox/disputes", json={"payment_intent": intent.id})).json()
    assert (await client.v1.disputes.close_async(dispute["id"])).status == "lost"
    assert (await event_types(client, dispute["id"]))[-1] == "charge.dispute.closed"
    assert (await refusal(client.v1.disputes.close_async(dispute["id"]), "already lost")).status == 400
