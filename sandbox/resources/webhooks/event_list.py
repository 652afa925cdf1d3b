"""The list of events."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.objects import Json
from sandbox.shared_handlers import answer_page, page_query


async def list_events(call: Call) -> Json:
    """GET /v1/events, newest first, by `type` (with * as wildcard) or `types`."""
    if "type" in call.params and "types" in call.params:
        raise invalid_request("You may only specify one of these parameters: type, types.", param="types")
    query = page_query(call, "event")
    if "type" in call.params:
        escaped = call.params["type"].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query.like["type"] = escaped.replace("*", "%")
    if "types" in call.params:
        query.one_of["type"] = call.params["types"]
    return await answer_page(call, query)
