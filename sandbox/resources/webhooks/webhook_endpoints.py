"""Webhook endpoints: where events are sent; and the list of events itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.calls import Call, answer_page, paged
from sandbox.errors import Json, invalid
from sandbox.ids import new_id, random_text
from sandbox.metadata import merged

MAX_ENDPOINTS = 16


async def create(call: Call) -> Json:
    """POST /v1/webhook_endpoints; the secret is told here and never again."""
    params = call.params
    if len(await call.tx.every("webhook_endpoint", {})) >= MAX_ENDPOINTS:
        raise invalid(f"You have reached the maximum of {MAX_ENDPOINTS} test webhook endpoints.")
    secret = f"whsec_{random_text(32)}"
    endpoint: Json = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": call.tx.now,
        "description": params.get("description") or None,
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "status": "enabled",
        "url": _checked_url(params["url"]),
        "_secret": secret,
    }
    await call.tx.insert(endpoint)
    return endpoint | {"secret": secret}


async def update(call: Call) -> Json:
    """POST /v1/webhook_endpoints/{id}."""
    endpoint = await call.tx.get("webhook_endpoint", call.id)
    if "url" in call.params:
        endpoint["url"] = _checked_url(call.params["url"])
    if "enabled_events" in call.params:
        endpoint["enabled_events"] = call.params["enabled_events"]
    if "description" in call.params:
        endpoint["description"] = call.params["description"] or None
    if "disabled" in call.params:
        endpoint["status"] = "disabled" if call.params["disabled"] else "enabled"
    endpoint["metadata"] = merged(endpoint["metadata"], call.params.get("metadata"))
    return await call.tx.save(endpoint)


async def delete(call: Call) -> Json:
    """DELETE /v1/webhook_endpoints/{id}; what was still to be sent to it is dropped."""
    endpoint = await call.tx.get("webhook_endpoint", call.id)
    await call.tx.connection.execute(
        "UPDATE stripe_sandbox.deliveries SET status = 'dropped' WHERE endpoint = $1 AND status = 'pending'", call.id
    )
    return await call.tx.delete(endpoint)


async def list_events(call: Call) -> Json:
    """GET /v1/events, newest first, by `type` (with * as wildcard) or `types`."""
    if "type" in call.params and "types" in call.params:
        raise invalid("You may only specify one of these parameters: type, types.", param="types")
    query = paged(call, "event")
    if "type" in call.params:
        escaped = call.params["type"].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query.like["type"] = escaped.replace("*", "%")
    if "types" in call.params:
        query.one_of["type"] = call.params["types"]
    return await answer_page(call, query)


def _checked_url(url: str) -> str:
    """Return the URL; http is allowed, since the sandbox is there for loopback."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid(f"Invalid URL: {url}", code="url_invalid", param="url")
    return url
