"""Webhook endpoints."""

from __future__ import annotations

import stripe

from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import refusal
from tests.support.sandbox import WebhookReceiver


async def test_an_endpoint_receives_only_the_events_it_has_enabled(client: stripe.StripeClient) -> None:
    async with WebhookReceiver() as receiving:
        endpoint = await client.v1.webhook_endpoints.create_async(
            {"url": receiving.url, "enabled_events": ["product.created"]}
        )
        receiving.secret = str(endpoint.secret)
        await new_customer(client)
        product = await client.v1.products.create_async({"name": "Pack"})
        (event,) = await receiving.wait_for(1)
        assert event.data.object.to_dict()["id"] == product.id
        await client.v1.webhook_endpoints.delete_async(endpoint.id)


async def test_the_secret_is_shown_only_when_the_endpoint_is_created(
    client: stripe.StripeClient, receiver: WebhookReceiver
) -> None:
    listed = await client.v1.webhook_endpoints.list_async()
    assert listed.data[0].url == receiver.url
    assert getattr(listed.data[0], "secret", None) is None


async def test_a_deleted_endpoint_is_missing_and_receives_nothing_more(client: stripe.StripeClient) -> None:
    async with WebhookReceiver() as receiving, WebhookReceiver() as witness:
        endpoint, other = [
            await client.v1.webhook_endpoints.create_async({"url": each.url, "enabled_events": ["product.created"]})
            for each in (receiving, witness)
        ]
        witness.secret = str(other.secret)
        await client.v1.webhook_endpoints.delete_async(endpoint.id)
        await client.v1.products.create_async({"name": "Pack"})
        await witness.wait_for(1)
        assert receiving.payloads == []
        await client.v1.webhook_endpoints.delete_async(other.id)
    for call in (
        client.v1.webhook_endpoints.retrieve_async(endpoint.id),
        client.v1.webhook_endpoints.update_async(endpoint.id, {"enabled_events": ["*"]}),
        client.v1.webhook_endpoints.delete_async(endpoint.id),
    ):
        assert await refusal(call) == (404, "resource_missing", "id")
