"""The audit log of a workspace, for those with VIEW_AUDIT_LOG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast
from uuid import UUID

import orjson

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_seen_by
from app.ids import GlobalId
from app.store import audit_log as audit_log_store
from app.store.audit_log import LoggedEvent
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size, parse_time_and_id, time_and_id

USUAL_EVENTS: Final = 50

_NODES: Final = {"purchase": "CreditPurchase", "invoice": "Invoice", "invitation": "Invitation"}
_LISTS_OF_NODES: Final = {"invitations": "Invitation"}

# Reserved words among handles, so that nobody can pass for one of them.
DELETED_USER: Final = "deleted-user"
DELETED_KEY: Final = "deleted-key"


async def event_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[LoggedEvent] | None:
    """A page of the workspace's log, newest first; None for those who may not read it."""
    if WorkspacePermission.VIEW_AUDIT_LOG not in access.permissions:
        return None
    size = page_size(first, usual=USUAL_EVENTS)
    before = decode_cursor(after, parse_time_and_id) if after is not None else (None, None)
    rows = await context.reads.rows(audit_log_store.PAGE, access.workspace.id, size + 1, *before)
    return page_of(rows, size, after, lambda row: time_and_id(row.at, row.id))


async def event(context: Context, event_id: str) -> LoggedEvent | None:
    """An event by its id."""
    workspace_id, row_id = global_ids.owned_id(event_id, "AuditEvent")
    may_read = WorkspacePermission.VIEW_AUDIT_LOG
    await workspace_seen_by(context.reads, context.caller, workspace_id, permission=may_read)
    return await context.reads.one_of(audit_log_store.EVENTS, (workspace_id, row_id))


async def actor(context: Context, row: LoggedEvent) -> str:
    """Who did it, as they are called now: a handle, `api-key:` and a name, or what is neither, such as `system`."""
    if row.actor_user_id is not None:
        return await handle_of(context, row.actor_user_id) or DELETED_USER
    if row.actor_key_id is not None:
        named = await context.reads.one_of(audit_log_store.KEY_NAMES, row.actor_key_id)
        return f"api-key:{named.name}" if named is not None else DELETED_KEY
    return row.actor_label or ""


async def detail(context: Context, row: LoggedEvent) -> str | None:
    """What was before and after, and to whom it was done, as JSON text; None where that says nothing more."""
    members: dict[str, object] = {side: _shown(row.workspace_id, values) for side, values in (row.detail or {}).items()}
    if row.subject_user_id is not None:
        members["subject"] = await handle_of(context, row.subject_user_id) or DELETED_USER
    return orjson.dumps(members).decode() if members else None


async def handle_of(context: Context, user_id: UUID) -> str | None:
    """What a user goes by now; None for one who is gone."""
    named = await context.reads.one_of(audit_log_store.HANDLES, user_id)
    return named.name if named is not None else None


def _shown(workspace_id: UUID, values: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """The values as clients know them: what names an object holds the id that it has in the API."""
    if values is None:
        return None
    return {name: _shown_value(workspace_id, name, value) for name, value in values.items()}


def _shown_value(workspace_id: UUID, name: str, value: object) -> object:
    if name in _NODES:
        return str(GlobalId(_NODES[name], UUID(str(value)), workspace_id))
    if name in _LISTS_OF_NODES and isinstance(value, list):
        ids = cast("list[str]", value)
        return [str(GlobalId(_LISTS_OF_NODES[name], UUID(each), workspace_id)) for each in ids]
    return value
