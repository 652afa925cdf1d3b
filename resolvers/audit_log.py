"""The audit log of a workspace, for those with VIEW_AUDIT_LOG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.db.tables.access import AuditEventRow
from app.ids import GlobalId
from app.store import audit_log as audit_log_store
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size

USUAL_FIRST: Final = 50

_NODES: Final = {"purchase": "CreditPurchase", "invoice": "Invoice", "invitation": "Invitation"}

# Reserved words among handles, so that nobody can pass for one of them.
DELETED_USER: Final = "deleted-user"
DELETED_KEY: Final = "deleted-key"


async def event_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[AuditEventRow] | None:
    """A page of the workspace's log, newest first; None for those who may not read it."""
    if WorkspacePermission.VIEW_AUDIT_LOG not in access.permissions:
        return None
    size = page_size(USUAL_FIRST if first is None else first)
    before = decode_cursor(after, _place) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await audit_log_store.page(session, access.workspace.id, limit=size + 1, before=before)
    return page_of(rows, size, after, lambda row: f"{row.at.isoformat()}|{row.id.hex}")


async def event(context: Context, event_id: str) -> AuditEventRow | None:
    """An event by its id."""
    owner, row_id = global_ids.owned_id(event_id, "AuditEvent")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, owner, permission=WorkspacePermission.VIEW_AUDIT_LOG)
        return await audit_log_store.find(session, owner, row_id)


async def actor(context: Context, row: AuditEventRow) -> str:
    """Who did it, as they are called now: a handle, `api-key:` and a name, or what is neither, such as `system`."""
    if row.actor_user_id is not None:
        return await context.loaders.handles.load(row.actor_user_id) or DELETED_USER
    if row.actor_key_id is not None:
        name = await context.loaders.key_names.load(row.actor_key_id)
        return f"api-key:{name}" if name is not None else DELETED_KEY
    return row.actor_label or ""


async def detail(context: Context, row: AuditEventRow) -> str | None:
    """What was before and after, and to whom it was done, as JSON text; None where that says nothing more."""
    told: dict[str, object] = {side: _shown(row.workspace_id, values) for side, values in (row.detail or {}).items()}
    if row.subject_user_id is not None:
        told["subject"] = await context.loaders.handles.load(row.subject_user_id) or DELETED_USER
    return orjson.dumps(told).decode() if told else None


def _shown(workspace_id: UUID, values: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """The values as clients know them: what names an object holds the id that it has in the API."""
    if values is None:
        return None
    return {
        name: str(GlobalId(_NODES[name], UUID(str(value)), workspace_id)) if name in _NODES else value
        for name, value in values.items()
    }


def _place(text: str) -> tuple[datetime, UUID]:
    at, _, event_id = text.partition("|")
    # of a time without an offset no moment can be told: astimezone would take it for the machine's own
    if datetime.fromisoformat(at).tzinfo is None:
        raise ValueError(text)
    return datetime.fromisoformat(at).astimezone(UTC), UUID(hex=event_id)
