"""The access check: whether a caller may see a workspace, and has a permission or a scope there. No other module decides that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
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
from app.db.reads import Reads
from app.db.tables.workspaces import WorkspaceRow
from app.errors import Forbidden, NotFound, ProtocolError, Unauthenticated
from app.store import api_keys as api_key_store
from app.store import workspaces as workspace_store
from app.store.workspaces import SeenWorkspace

Workspace: TypeAlias = WorkspaceRow | SeenWorkspace
"""A workspace: in a unit of work that may change it its row, and what was read of it otherwise."""


@dataclass(frozen=True, slots=True)
class WorkspaceAccess:
    """A workspace, and the role and permissions that one caller has there; `role` is None for keys.

    An admin who holds no seat has the permissions of a member.
    """

    workspace: Workspace
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
    else:
        access = await _key_access(session, caller, workspace_id, lock)
    return _checked(caller, access, permission, scope)


async def workspace_seen_by(
    reads: Reads,
    caller: Caller,
    workspace_id: UUID,
    *,
    permission: WorkspacePermission | None = None,
    scope: ApiScope | None = None,
) -> WorkspaceAccess:
    """As `workspace_for`, for who only looks: what is read is neither locked nor to be changed."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if isinstance(caller, UserCaller):
        seen = await reads.one_of(workspace_store.SEEN_BY_MEMBERS, (workspace_id, caller.user_id))
    elif not caller.is_service and caller.workspace_id != workspace_id:
        raise NotFound
    else:
        seen = await reads.one_of(workspace_store.BY_ID, workspace_id)
    return _checked(caller, access_of(caller, seen, reads.now), permission, scope)


def access_of(
    caller: UserCaller | KeyCaller, seen: SeenWorkspace | None, now: datetime | None = None
) -> WorkspaceAccess:
    """What the caller may do now in a workspace as it was read for them; raises `NotFound` for one that was not found for them.

    In somebody's own personal workspace the time does not matter, since its owner holds a seat whatever plan it is on.
    """
    if seen is None:
        raise NotFound
    if isinstance(caller, UserCaller):
        acting_role = seen.acting_role_at(now)
        if seen.user_id != caller.user_id or seen.role is None or acting_role is None:
            raise NotFound
        return _member_access(seen, seen.role, acting_role)
    if not caller.is_service and caller.workspace_id != seen.id:
        raise NotFound
    return WorkspaceAccess(seen, None, key_permissions(usable_scopes(caller)))


def _checked(
    caller: UserCaller | KeyCaller,
    access: WorkspaceAccess,
    permission: WorkspacePermission | None,
    scope: ApiScope | None,
) -> WorkspaceAccess:
    """The access, if it is enough; raises `Forbidden` otherwise."""
    has_scope = scope is None or (isinstance(caller, KeyCaller) and scope in usable_scopes(caller))
    if not has_scope or (permission is not None and permission not in access.permissions):
        raise Forbidden
    return access


def require_service_key(caller: Caller, scope: ApiScope) -> None:
    """Raise unless the caller is a service key with this scope: for what concerns many workspaces at once.

    Raises `Unauthenticated` for an anonymous caller, `Forbidden` for any other.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if not isinstance(caller, KeyCaller) or not caller.is_service or scope not in usable_scopes(caller):
        raise Forbidden


async def refusals_of(
    session: Session, callers: Collection[Caller], workspace_id: UUID, permission: WorkspacePermission | None
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


async def workspaces_of(reads: Reads, caller: UserCaller) -> list[WorkspaceAccess]:
    """The workspaces that the caller is a member of: the personal one first, then in the order of joining."""
    return [
        access_of(caller, seen, reads.now) for seen in await reads.rows(workspace_store.SEEN_BY_USER, caller.user_id)
    ]


async def _user_access(session: Session, caller: UserCaller, workspace_id: UUID, lock: bool) -> WorkspaceAccess:
    found = await workspace_store.with_role(session, workspace_id, caller.user_id, lock=lock)
    if found is None:
        raise NotFound
    workspace, role, acting_role = found
    return _member_access(workspace, role, acting_role or role)


def _member_access(workspace: Workspace, role: str, acting_role: str) -> WorkspaceAccess:
    return WorkspaceAccess(workspace, WorkspaceRole(role), ROLE_PERMISSIONS[WorkspaceRole(acting_role)])


async def _key_access(session: Session, caller: KeyCaller, workspace_id: UUID, lock: bool) -> WorkspaceAccess:
    if lock and not await api_key_store.lock_if_good(session, caller.key_id, at=session.real_now):
        raise Unauthenticated
    if not caller.is_service and caller.workspace_id != workspace_id:
        raise NotFound
    workspace = await workspace_store.get(session, workspace_id)
    if workspace is None:
        raise NotFound
    return WorkspaceAccess(workspace, None, key_permissions(usable_scopes(caller)))


async def workspace_by_handle(reads: Reads, caller: Caller, handle: str) -> WorkspaceAccess:
    """The workspace with this handle, without regard to case; raises what `workspace_for` raises."""
    key = trimmed(handle).lower()
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if isinstance(caller, UserCaller):
        seen = await reads.one_of(workspace_store.SEEN_BY_HANDLE, (key, caller.user_id))
    else:
        seen = await reads.one_of(workspace_store.BY_HANDLE, key)
    return access_of(caller, seen, reads.now)


async def workspace_by_external_id(reads: Reads, caller: Caller, external_id: str) -> WorkspaceAccess:
    """The workspace with this external id of the host product: for service keys only, `Forbidden` for all others.

    Blanks around it are left out, as they are when it is set.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if not isinstance(caller, KeyCaller) or not caller.is_service:
        raise Forbidden("Only a service key can look a workspace up by its external id.")
    return access_of(caller, await reads.one_of(workspace_store.BY_EXTERNAL_ID, external_id.strip()), reads.now)
