"""The keys of a workspace, for those with MANAGE_KEYS."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.access import api_keys
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.db.tables.access import ApiKeyRow
from resolvers import global_ids
from resolvers.context import Context


async def keys(context: Context, access: WorkspaceAccess) -> Sequence[ApiKeyRow] | None:
    """The workspace's keys that were not revoked, newest first; None for those who may not manage them."""
    if WorkspacePermission.MANAGE_KEYS not in access.permissions:
        return None
    async with context.runtime.database.read() as session:
        return await api_keys.keys_of(session, access.workspace.id)


async def key(context: Context, key_id: str) -> ApiKeyRow | None:
    """A key by its id, unless it was revoked."""
    workspace_id, row_id = global_ids.owned_id(key_id, "ApiKey")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, permission=WorkspacePermission.MANAGE_KEYS)
        rows = await api_keys.keys_of(session, workspace_id)
    return next((row for row in rows if row.id == row_id), None)


async def created_by(context: Context, row: ApiKeyRow) -> str | None:
    """The handle of the person who made a key, as they are called now; None where nobody is known by that id."""
    return await context.loaders.handles.load(row.created_by) if row.created_by is not None else None
