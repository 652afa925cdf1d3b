"""The events about an object."""

from __future__ import annotations

from typing import Any

import stripe


async def event_types(client: stripe.StripeClient, object_id: str, types: list[str] | None = None) -> list[str]:
    """Return the types of the latest events about an object, in the order they happened; of those in `types` if given."""
    page = await (
        client.v1.events.list_async({"limit": 100, "types": types})
        if types
        else client.v1.events.list_async({"limit": 100})
    )
    return [event.type for event in reversed(page.data) if event.data.object.to_dict()["id"] == object_id]


async def previous_attributes(client: stripe.StripeClient, event_type: str, object_id: str) -> dict[str, Any]:
    """Return what the latest event of a type about an object says that was before."""
    page = await client.v1.events.list_async({"type": event_type, "limit": 100})
    (latest, *_) = [event for event in page.data if event.data.object.to_dict()["id"] == object_id]
    assert latest.data.previous_attributes is not None
    return latest.data.previous_attributes.to_dict()
