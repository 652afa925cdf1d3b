"""The access check: whether a caller may see a workspace, and has a permission or a scope there. No other module decides that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from app.accounts.access.callers import Anonymous, Caller, KeyCaller, UserCaller, usable_scopes
from app.accounts.access.permissions import (
    ROLE_PERMISSIONS,
    ApiScope,
    WorkspacePermission,
    WorkspaceRole,
    key_permissions,
)
from app.accounts.security.text_input import trimmed
from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.errors import Forbidden, NotFound, ProtocolError, Unauthenticated
from app.store import api_keys as api_key_store
from app.store import workspaces as workspace_store


@dataclass(frozen=True, slots=True)
class WorkspaceAccess:
    """A workspace, and the role and permissions that one caller has there; `role` is None for keys."""

    workspace: WorkspaceRow
    role: WorkspaceRole | None
    permissions: frozenset[WorkspacePermission]


async def workspace_for(
    session: Session,
    caller: Caller,
    workspace_id: UUID,
    *,
    permission: WorkspacePermission | None = None,
    scope: ApiScope | None = None,
    lock: bool = False,
) -> WorkspaceAccess:
    """The workspace, if the caller may see it and, where one is named, has the permission there or the scope.

    A user has a permission by role, a key by its scopes. `scope` requires a key with that scope: a user does not pass. Mutations
    set `lock`: then the membership can't be changed or removed, nor the key revoked, before the transaction ends.
    Raises `Unauthenticated` for an anonymous caller and for a key that was revoked meanwhile, `NotFound` where the caller may not
    know whether the workspace exists, and `Forbidden` for what the caller may not do.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if isinstance(caller, UserCaller):
        access = await _user_access(session, caller, workspace_id, lock)
        has_scope = scope is None
    else:
        access = await _key_access(session, caller, workspace_id, lock)
        has_scope = scope is None or scope in usable_scopes(caller)
    if not has_scope or (permission is not None and permission not in access.permissions):
        raise Forbidden
    return access


async def refusals_of(
    session: Session, callers: Collection[Caller], workspace_id: UUID, permission: WorkspacePermission
) -> dict[Caller, ProtocolError]:
    """The errors that `workspace_for` raises, by caller; a user with several sessions is looked up once."""
    refused: dict[UUID | None, ProtocolError] = {}
    for principal, caller in {_principal(caller): caller for caller in callers}.items():
        try:
            await workspace_for(session, caller, workspace_id, permission=permission)
        except (Unauthenticated, NotFound, Forbidden) as refusal:
            refused[principal] = refusal
    return (
        {caller: refused[_principal(caller)] for caller in callers if _principal(caller) in refused} if refused else {}
    )


def _principal(caller: Caller) -> UUID | None:
    """The id of the user or key whose rights a caller has."""
    match caller:
        case UserCaller():
            return caller.user_id
        case KeyCaller():
            return caller.key_id
        case Anonymous():
            return None


async def workspaces_of(session: Session, caller: UserCaller) -> list[WorkspaceAccess]:
    """The workspaces that the caller is a member of: the personal one first, then in the order of joining."""
    found = await workspace_store.of_user(session, caller.user_id)
    return [_member_access(workspace, role) for workspace, role in found]


async def _user_access(session: Session, caller: UserCaller, workspace_id: UUID, lock: bool) -> WorkspaceAccess:
    found = await workspace_store.with_role(session, workspace_id, caller.user_id, lock=lock)
    if found is None:
        raise NotFound
    return _member_access(*found)


def _member_access(workspace: WorkspaceRow, role_name: str) -> WorkspaceAccess:
    role = WorkspaceRole(role_name)
    return WorkspaceAccess(workspace, role, ROLE_PERMISSIONS[role])


async def _key_access(session: Session, caller: KeyCaller, workspace_id: UUID, lock: bool) -> WorkspaceAccess:
    if lock and not await api_key_store.lock_if_good(session, caller.key_id, at=session.real_now):
        raise Unauthenticated
    if not caller.is_service and caller.workspace_id != workspace_id:
        raise NotFound
    workspace = await workspace_store.get(session, workspace_id)
    if workspace is None:
        raise NotFound
    return WorkspaceAccess(workspace, None, key_permissions(usable_scopes(caller)))


async def workspace_by_handle(session: Session, caller: Caller, handle: str) -> WorkspaceAccess:
    """The workspace with this handle, without regard to case; raises what `workspace_for` raises."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    workspace_id = await workspace_store.id_by_handle(session, trimmed(handle).lower())
    if workspace_id is None:
        raise NotFound
    return await workspace_for(session, caller, workspace_id)


async def workspace_by_external_id(session: Session, caller: Caller, external_id: str) -> WorkspaceAccess:
    """The workspace with this external id of the host product: for service keys only, `Forbidden` for all others.

    Blanks around it are left out, as they are when it is set.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if not isinstance(caller, KeyCaller) or not caller.is_service:
        raise Forbidden("Only a service key can look a workspace up by its external id.")
    workspace_id = await workspace_store.id_by_external_id(session, external_id.strip())
    if workspace_id is None:
        raise NotFound
    return await workspace_for(session, caller, workspace_id)
