"""The keys of a workspace, for those with MANAGE_KEYS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.accounts.access import api_keys
from app.accounts.access.callers import require_user
from app.accounts.access.permissions import ApiScope, WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.db.engine import Session
from app.db.tables.access import ApiKeyRow
from app.db.unit_of_work import transact
from resolvers import global_ids
from resolvers.context import Context
from resolvers.payment_rate_limits import limit_new_keys


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and its secret, which can't be read again."""

    row: ApiKeyRow
    secret: str


async def keys(context: Context, access: WorkspaceAccess) -> Sequence[ApiKeyRow] | None:
    """The workspace's keys that were not revoked, newest first; None for those who may not manage them."""
    if WorkspacePermission.MANAGE_KEYS not in access.permissions:
        return None
    async with context.runtime.database.read() as session:
        return await api_keys.keys_of(session, access.workspace.id)


async def key(context: Context, key_id: str) -> ApiKeyRow | None:
    """A key by its id, unless it was revoked."""
    owner, row_id = global_ids.owned_id(key_id, "ApiKey")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, owner, permission=WorkspacePermission.MANAGE_KEYS)
        rows = await api_keys.keys_of(session, owner)
    return next((row for row in rows if row.id == row_id), None)


async def created_by(context: Context, row: ApiKeyRow) -> str | None:
    """The handle of the person who made a key, as they are called now; None where nobody is known by that id."""
    return await context.loaders.handles.load(row.created_by) if row.created_by is not None else None


async def create_key(
    context: Context, workspace_id: str, name: str, scopes: Iterable[ApiScope], expires_at: datetime | None
) -> NewKey:
    """Make a key for a workspace, as one of its owners."""
    caller = require_user(context.caller)
    owner = global_ids.workspace_id(workspace_id)
    async with context.runtime.database.read() as session:
        await workspace_for(session, caller, owner, permission=WorkspacePermission.MANAGE_KEYS)
    await limit_new_keys(context, owner)

    async def create(session: Session) -> NewKey:
        return NewKey(*await api_keys.create_workspace_key(session, caller, owner, name, scopes, expires_at))

    return await transact(context.runtime.database, create, step="key.create")


async def revoke_key(context: Context, key_id: str) -> WorkspaceAccess:
    """End a key of a workspace, as one of its owners; the workspace it was of."""
    caller = require_user(context.caller)
    owner, row_id = global_ids.owned_id(key_id, "ApiKey")
    return await transact(
        context.runtime.database,
        lambda session: api_keys.revoke_workspace_key(session, caller, owner, row_id),
        step="key.revoke",
    )
