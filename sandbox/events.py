"""Events: recorded with a copy of the object they are about, and queued for the webhook endpoints that want them."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import Any, cast

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
        for endpoint in await tx.webhook_endpoints()
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
    mode = await tx.setting("delivery_mode", "normal") if endpoints else None
    for endpoint in endpoints:
        await tx.connection.execute(
            "INSERT INTO stripe_sandbox.deliveries (event, endpoint, status, next_at) VALUES ($1, $2, $3, $4)",
            event["id"],
            endpoint["id"],
            "dropped" if mode == "drop" else "pending",
            time.time(),
        )
    tx.emitted_events += 1


def snapshot(body: Json) -> Json:
    """Return a copy of an object to compare with later; nothing that is changed afterwards, however deep, is in it."""
    return deepcopy(body)


def previous_attributes(before: Json, after: Json) -> Json:
    """Return the earlier values of the attributes that changed, of nested objects only the attributes that changed.

    An attribute that was not there before is None.
    """
    changed: Json = {}
    for name in before | after:
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        nested = isinstance(was, dict) and isinstance(now, dict)
        changed[name] = previous_attributes(cast("Json", was), cast("Json", now)) if nested else was
    return changed
