"""Workspaces, as the caller may see them."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.callers import UserCaller
from app.accounts.access.workspace_access import (
    WorkspaceAccess,
    access_of,
    workspace_by_external_id,
    workspace_by_handle,
    workspace_seen_by,
)
from app.errors import BadUserInput, NotFound
from resolvers import global_ids
from resolvers.context import Context


async def workspace(
    context: Context, workspace_id: str | None, handle: str | None, external_id: str | None
) -> WorkspaceAccess | None:
    """A workspace the caller may see, by exactly one of its names; None for one that isn't there for them.

    Raises `BadUserInput` for none or several names, `Unauthenticated` for nobody, `Forbidden` for an external id without a
    service key.
    """
    if sum(name is not None for name in (workspace_id, handle, external_id)) != 1:
        raise BadUserInput("Give exactly one of id, handle and externalId.")
    try:
        if workspace_id is not None:
            return await workspace_by_id(context, global_ids.workspace_id(workspace_id))
        if handle is not None:
            return await workspace_by_handle(context.reads, context.caller, handle)
        return await workspace_by_external_id(context.reads, context.caller, external_id or "")
    except NotFound:
        return None


async def workspace_by_id(context: Context, workspace_id: UUID) -> WorkspaceAccess:
    """A workspace by its row's id, as the caller may see it now; raises what `workspace_for` does."""
    person, caller = context.person, context.caller
    if person is not None and person.personal.id == workspace_id and isinstance(caller, UserCaller):
        return access_of(caller, person.personal)
    return await workspace_seen_by(context.reads, caller, workspace_id)
