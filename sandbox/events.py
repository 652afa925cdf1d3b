"""Events: what happened to an object, as it stood then, and to which endpoints that is to be told."""

from __future__ import annotations

import time
from typing import Any

import stripe

from sandbox.errors import Json
from sandbox.expansion import visible
from sandbox.ids import new_id
from sandbox.store import Transaction

API_VERSION: str = stripe.api_version


async def emit(tx: Transaction, event_type: str, body: Json, previous: Json | None = None) -> None:
    """Record an event about `body` and queue it for every endpoint that listens to its type.

    `previous` holds the former values of changed attributes, for `*.updated` events.
    """
    data: Json = {"object": visible(body)}
    if previous is not None:
        data["previous_attributes"] = visible(previous)
    listening = [
        endpoint
        for endpoint in await tx.every("webhook_endpoint", {"status": "enabled"})
        if "*" in endpoint["enabled_events"] or event_type in endpoint["enabled_events"]
    ]
    event: dict[str, Any] = {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": tx.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": len(listening),
        "request": {"id": tx.request_id, "idempotency_key": tx.idempotency_key},
        "type": event_type,
    }
    await tx.insert(event)
    mode = await tx.setting("delivery_mode", "normal")
    for endpoint in listening:
        await tx.connection.execute(
            "INSERT INTO stripe_sandbox.deliveries (event, endpoint, status, next_at) VALUES ($1, $2, $3, $4)",
            event["id"],
            endpoint["id"],
            "dropped" if mode == "drop" else "pending",
            time.time(),
        )
    tx.emitted += 1
