"""Delivery of events to webhook endpoints: signed, retried, in each mode."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import stripe

from tests.sandbox.factories import new_customer
from tests.support.sandbox import SandboxProcess, WebhookReceiver, sdk


async def test_a_delivery_has_a_signature_that_the_sdk_accepts(
    client: stripe.StripeClient, receiver: WebhookReceiver
) -> None:
    customer = await new_customer(client)
    (event,) = await receiver.wait_for(1)
    assert event.type == "customer.created"
    assert event.data.object.to_dict()["id"] == customer.id
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.payloads[0], receiver.signatures[0], "whsec_other")


async def test_a_failed_delivery_is_tried_again_until_it_succeeds(
    client: stripe.StripeClient, receiver: WebhookReceiver
) -> None:
    receiver.status = 500
    await new_customer(client)
    await receiver.wait_for(1)
    receiver.status = 200
    first, second = (await receiver.wait_for(2))[:2]
    assert first.id == second.id


async def test_held_deliveries_are_sent_by_a_flush_in_order(
    client: stripe.StripeClient, web: httpx.AsyncClient, receiver: WebhookReceiver
) -> None:
    await web.post("/_sandbox/deliveries", json={"mode": "hold"})
    made = [(await new_customer(client)).id for _ in range(3)]
    assert receiver.payloads == []
    flushed = await web.post("/_sandbox/deliveries/flush")
    assert flushed.json() == {"delivered": 3, "failed": 0}
    assert [event.data.object.to_dict()["id"] for event in receiver.events()] == made


async def test_duplicated_deliveries_arrive_twice(
    client: stripe.StripeClient, web: httpx.AsyncClient, receiver: WebhookReceiver
) -> None:
    await web.post("/_sandbox/deliveries", json={"mode": "duplicate"})
    await new_customer(client)
    first, second = await receiver.wait_for(2)
    assert first.id == second.id


async def test_shuffled_deliveries_all_arrive(
    client: stripe.StripeClient, web: httpx.AsyncClient, receiver: WebhookReceiver
) -> None:
    await web.post("/_sandbox/deliveries", json={"mode": "shuffle"})
    made = {(await new_customer(client)).id for _ in range(8)}
    events = await receiver.wait_for(8)
    assert {event.data.object.to_dict()["id"] for event in events} == made


async def test_dropped_deliveries_never_arrive_but_their_events_are_listed(
    client: stripe.StripeClient, web: httpx.AsyncClient, receiver: WebhookReceiver
) -> None:
    await web.post("/_sandbox/deliveries", json={"mode": "drop"})
    lost = await new_customer(client)
    await web.post("/_sandbox/deliveries", json={"mode": "normal"})
    received = await new_customer(client)
    await web.post("/_sandbox/deliveries/flush")
    assert [event.data.object.to_dict()["id"] for event in receiver.events()] == [received.id]
    page = await client.v1.events.list_async({"type": "customer.created", "limit": 2})
    assert [event.data.object.to_dict()["id"] for event in page.data] == [received.id, lost.id]


async def test_pending_deliveries_survive_a_killed_sandbox(own_sandbox: SandboxProcess) -> None:
    async with WebhookReceiver() as receiving, httpx.AsyncClient(timeout=20) as http:
        client = sdk(own_sandbox.url)
        endpoint = await client.v1.webhook_endpoints.create_async({"url": receiving.url, "enabled_events": ["*"]})
        receiving.secret = str(endpoint.secret)
        await http.post(f"{own_sandbox.url}/_sandbox/deliveries", json={"mode": "hold"})
        customer = await new_customer(client)
        own_sandbox.kill()
        await asyncio.to_thread(own_sandbox.start)
        assert receiving.payloads == []
        await http.post(f"{own_sandbox.url}/_sandbox/deliveries", json={"mode": "normal"})
        (event,) = await receiving.wait_for(1)
        assert event.data.object.to_dict()["id"] == customer.id
