"""The list of events."""

from __future__ import annotations

import stripe

from tests.sandbox.factories import new_customer


async def test_events_are_polled_by_type_from_a_cursor(client: stripe.StripeClient) -> None:
    await new_customer(client)
    cursor = (await client.v1.events.list_async({"limit": 1})).data[0].id
    made = [(await new_customer(client)).id for _ in range(3)]
    await client.v1.products.create_async({"name": "Pack"})
    page = await client.v1.events.list_async({"types": ["customer.created"], "ending_before": cursor, "limit": 2})
    assert [event.data.object.to_dict()["id"] for event in reversed(page.data)] == made[:2]
    assert page.has_more
    wild = await client.v1.events.list_async({"type": "customer.*", "ending_before": cursor, "limit": 100})
    assert len(wild.data) == 3
