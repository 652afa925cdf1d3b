"""Making and revoking the keys of a workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.accounts.access import api_keys
from app.accounts.access.callers import require_user
from app.accounts.access.permissions import ApiScope, WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.security.rate_limits import Limit, count_begun
from app.db.engine import Session
from app.db.tables.access import ApiKeyRow
from app.db.unit_of_work import transact
from resolvers import global_ids
from resolvers.context import Context

_KEYS_PER_WORKSPACE: Final = Limit("keys-per-workspace", 20, 3600)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and its secret, which can't be read again."""

    row: ApiKeyRow
    secret: str


async def create_key(
    context: Context, workspace_global_id: str, name: str, scopes: Iterable[ApiScope], expires_at: datetime | None
) -> NewKey:
    """Make a key for a workspace, as one of its owners."""
    caller = require_user(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    async with context.runtime.database.read() as session:
        await workspace_for(session, caller, workspace_id, permission=WorkspacePermission.MANAGE_KEYS)

    async def create(session: Session) -> NewKey:
        made = await api_keys.create_workspace_key(session, caller, workspace_id, name, scopes, expires_at)
        await count_begun(session, context.runtime.rate_limits, (_KEYS_PER_WORKSPACE, str(workspace_id)))
        return NewKey(*made)

    return await transact(context.runtime.database, create, step="key.create")


async def revoke_key(context: Context, key_id: str) -> WorkspaceAccess:
    """End a key of a workspace, as one of its owners; the workspace it was of."""
    caller = require_user(context.caller)
    workspace_id, row_id = global_ids.owned_id(key_id, "ApiKey")
    return await transact(
        context.runtime.database,
        lambda session: api_keys.revoke_workspace_key(session, caller, workspace_id, row_id),
        step="key.revoke",
    )
