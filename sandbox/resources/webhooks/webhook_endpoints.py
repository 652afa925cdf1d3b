"""Webhook endpoints: the URLs that events are sent to."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.ids import new_id, random_text
from sandbox.metadata import merge_metadata
from sandbox.objects import Json

MAX_ENDPOINTS = 16


async def create(call: Call) -> Json:
    """POST /v1/webhook_endpoints; only this answer shows the secret."""
    params = call.params
    if len(await call.tx.find_all("webhook_endpoint", {})) >= MAX_ENDPOINTS:
        raise invalid_request(f"You have reached the maximum of {MAX_ENDPOINTS} test webhook endpoints.")
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
        "metadata": merge_metadata({}, params.get("metadata")),
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
    endpoint["metadata"] = merge_metadata(endpoint["metadata"], call.params.get("metadata"))
    return await call.tx.save(endpoint)


async def delete(call: Call) -> Json:
    """DELETE /v1/webhook_endpoints/{id}; its pending deliveries are dropped."""
    endpoint = await call.tx.get("webhook_endpoint", call.id)
    await call.tx.connection.execute(
        "UPDATE stripe_sandbox.deliveries SET status = 'dropped' WHERE endpoint = $1 AND status = 'pending'", call.id
    )
    return await call.tx.delete(endpoint)


def _checked_url(url: str) -> str:
    """Return the URL, if it is valid; http is allowed, because the receivers are on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid_request(f"Invalid URL: {url}", code="url_invalid", param="url")
    return url
