"""Events: recorded with a copy of the object they are about, and queued for the webhook endpoints that want them."""

from __future__ import annotations

import time
from typing import Any

import stripe

from sandbox.ids import new_id
from sandbox.objects import Json, visible
from sandbox.store import Transaction

API_VERSION: str = stripe.api_version


async def emit(tx: Transaction, event_type: str, body: Json, previous: Json | None = None) -> None:
    """Record an event about `body` and queue it for every webhook endpoint that enabled its type.

    `previous` holds the earlier values of changed attributes, for `*.updated` events.
    """
    data: Json = {"object": visible(body)}
    if previous is not None:
        data["previous_attributes"] = visible(previous)
    endpoints = [
        endpoint
        for endpoint in await tx.find_all("webhook_endpoint", {"status": "enabled"})
        if "*" in endpoint["enabled_events"] or event_type in endpoint["enabled_events"]
    ]
    event: dict[str, Any] = {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": tx.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": len(endpoints),
        "request": {"id": tx.request_id, "idempotency_key": tx.idempotency_key},
        "type": event_type,
    }
    await tx.insert(event)
    mode = await tx.setting("delivery_mode", "normal")
    for endpoint in endpoints:
        await tx.connection.execute(
            "INSERT INTO stripe_sandbox.deliveries (event, endpoint, status, next_at) VALUES ($1, $2, $3, $4)",
            event["id"],
            endpoint["id"],
            "dropped" if mode == "drop" else "pending",
            time.time(),
        )
    tx.emitted_events += 1


def previous_attributes(before: Json, after: Json) -> Json:
    """Return the earlier values of the attributes that changed."""
    return {name: value for name, value in before.items() if after.get(name) != value}
