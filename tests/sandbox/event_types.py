"""The events about an object."""

from __future__ import annotations

import stripe


async def event_types(client: stripe.StripeClient, object_id: str) -> list[str]:
    """Return the types of the latest events about an object, in the order they happened."""
    page = await client.v1.events.list_async({"limit": 100})
    return [event.type for event in reversed(page.data) if event.data.object.to_dict()["id"] == object_id]
