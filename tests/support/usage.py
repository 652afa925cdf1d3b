"""Recording usage as the host product does, and reading it as a page does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from app.accounts.access.permissions import ApiScope
from tests.support import operations
from tests.support.running_backend import RunningBackend


def usage_event(workspace: str, quantity: object, resource: str = "enrichments", **more: object) -> dict[str, Any]:
    """An event of the workspace with this id in the API."""
    event = {"workspaceId": workspace, "resource": resource, "quantity": str(quantity), "eventId": uuid4().hex}
    return {**event, **more}


async def record_usage(backend: RunningBackend, *events: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """The payload of `recordUsage`."""
    token = token or await backend.service_key(ApiScope.USAGE_WRITE)
    return (await backend.api.query(operations.RECORD_USAGE, {"input": {"events": events}}, token=token))["recordUsage"]


async def use(backend: RunningBackend, workspace: str, quantity: object, *more: str, **given: object) -> None:
    """Record one event, which must be accepted."""
    recorded = await record_usage(backend, usage_event(workspace, quantity, *more, **given))
    assert (recorded["accepted"], recorded["rejected"], recorded["userErrors"]) == (1, [], [])


async def usage_shown(backend: RunningBackend, workspace: str, token: str) -> dict[str, Any]:
    """A workspace's usage as who has the token sees it; its `bars` by the codes of their resources."""
    data = await backend.api.query(operations.USAGE, {"id": workspace}, token=token)
    shown = data["workspace"]["usage"]
    return {**shown, "bars": {bar["resource"]["code"]: bar for bar in shown["bars"]}}
