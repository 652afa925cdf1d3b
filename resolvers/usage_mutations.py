"""Recording usage, for the host product."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from uuid import UUID

from app.accounts.access.permissions import ApiScope
from app.accounts.access.workspace_access import require_service_key
from app.errors import InvalidInput, NotFound
from app.metering.ingest import record_usage as count
from app.metering.usage_events import MOST_EVENTS, RecordedUsage, UsageEvent
from app.wording import number
from resolvers import global_ids
from resolvers.context import Context

_NO_WORKSPACE: Final = UUID(int=0)


# the events of a call are mostly of the same few workspaces
@lru_cache(maxsize=1_000)
def event_workspace(workspace_global_id: str | None) -> UUID | None:
    """The workspace that an event names by its id; one that there is never where the id is of no workspace at all."""
    if workspace_global_id is None:
        return None
    try:
        return global_ids.workspace_id(workspace_global_id)
    except NotFound:
        return _NO_WORKSPACE


async def record_usage(context: Context, events: Sequence[UsageEvent]) -> RecordedUsage:
    """Count what the host product reports as used, each event once."""
    require_service_key(context.caller, ApiScope.USAGE_WRITE)
    if not 1 <= len(events) <= MOST_EVENTS:
        raise InvalidInput(f"A call reports 1 to {number(MOST_EVENTS)} events.", path=("input", "events"))
    return await count(context.runtime.database, context.runtime.catalog, events)
