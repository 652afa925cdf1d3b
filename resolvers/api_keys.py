"""The keys of a workspace, for those with MANAGE_KEYS."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_seen_by
from app.db.tables.access import ApiKeyRow
from app.store import api_keys as api_key_store
from app.store.api_keys import WorkspaceKey
from resolvers import global_ids
from resolvers.audit_log import handle_of
from resolvers.context import Context


async def keys(context: Context, access: WorkspaceAccess) -> Sequence[WorkspaceKey] | None:
    """The workspace's keys that were not revoked, newest first; None for those who may not manage them."""
    if WorkspacePermission.MANAGE_KEYS not in access.permissions:
        return None
    return await context.reads.all_of(api_key_store.OF_WORKSPACES, access.workspace.id)


async def key(context: Context, key_id: str) -> WorkspaceKey | None:
    """A key by its id, unless it was revoked."""
    workspace_id, row_id = global_ids.owned_id(key_id, "ApiKey")
    may_manage = WorkspacePermission.MANAGE_KEYS
    await workspace_seen_by(context.reads, context.caller, workspace_id, permission=may_manage)
    rows = await context.reads.all_of(api_key_store.OF_WORKSPACES, workspace_id)
    return next((row for row in rows if row.id == row_id), None)


async def created_by(context: Context, row: ApiKeyRow | WorkspaceKey) -> str | None:
    """The handle of the person who made a key, as they are called now; None where nobody is known by that id."""
    return await handle_of(context, row.created_by) if row.created_by is not None else None
