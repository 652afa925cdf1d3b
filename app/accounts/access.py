"""Who is asking, and who may do what in a workspace: the one place that decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.errors import Forbidden, NotFound, ProtocolError, Unauthenticated
from app.store import api_keys as key_store
from app.store import workspaces as store


class WorkspaceRole(StrEnum):
    """What a user is in a workspace."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"


class WorkspacePermission(StrEnum):
    """What may be done in a workspace beyond seeing its plan and seats, which all who belong to it may."""

    VIEW_BILLING = "VIEW_BILLING"
    MANAGE_BILLING = "MANAGE_BILLING"
    MANAGE_MEMBERS = "MANAGE_MEMBERS"
    MANAGE_WORKSPACE = "MANAGE_WORKSPACE"
    VIEW_AUDIT_LOG = "VIEW_AUDIT_LOG"
    MANAGE_KEYS = "MANAGE_KEYS"


class ApiScope(StrEnum):
    """What a key may be used for."""

    BILLING_READ = "BILLING_READ"
    BILLING_WRITE = "BILLING_WRITE"
    USAGE_WRITE = "USAGE_WRITE"
    CREDITS_WRITE = "CREDITS_WRITE"
    OPERATOR = "OPERATOR"


# Billing is the owners', and so are the log that tells of it and the keys that reach it.
ROLE_PERMISSIONS: Mapping[WorkspaceRole, frozenset[WorkspacePermission]] = {
    WorkspaceRole.OWNER: frozenset(WorkspacePermission),
    WorkspaceRole.ADMIN: frozenset({WorkspacePermission.MANAGE_MEMBERS}),
    WorkspaceRole.MEMBER: frozenset(),
}

# Who may change what is billed is shown the outcome, so writing includes reading.
SCOPE_PERMISSIONS: Mapping[ApiScope, frozenset[WorkspacePermission]] = {
    ApiScope.BILLING_READ: frozenset({WorkspacePermission.VIEW_BILLING}),
    ApiScope.BILLING_WRITE: frozenset({WorkspacePermission.VIEW_BILLING, WorkspacePermission.MANAGE_BILLING}),
    ApiScope.USAGE_WRITE: frozenset(),
    ApiScope.CREDITS_WRITE: frozenset(),
    ApiScope.OPERATOR: frozenset({WorkspacePermission.VIEW_BILLING}),
}

# A customer must not report its own usage, nor grant itself credits: these are for the host product's keys only.
SERVICE_SCOPES = frozenset({ApiScope.USAGE_WRITE, ApiScope.CREDITS_WRITE, ApiScope.OPERATOR})


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody: no credentials, or ones that are good for nothing."""


@dataclass(frozen=True, slots=True)
class UserCaller:
    """A signed-in person: with a session, or with a token of the identity provider, which has none but an end."""

    user_id: UUID
    session_id: UUID | None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """A program with a key: `workspace_id` is the workspace of a customer's key, None for a service key of the host product."""

    key_id: UUID
    workspace_id: UUID | None
    name: str
    scopes: frozenset[ApiScope]

    @property
    def is_service(self) -> bool:
        """Whether this is a key of the host product, which reaches every workspace."""
        return self.workspace_id is None


Caller: TypeAlias = Anonymous | UserCaller | KeyCaller

ANONYMOUS = Anonymous()


@dataclass(frozen=True, slots=True)
class WorkspaceAccess:
    """A workspace as one caller may use it; `role` is None for keys."""

    workspace: WorkspaceRow
    role: WorkspaceRole | None
    permissions: frozenset[WorkspacePermission]


def require_user(caller: Caller) -> UserCaller:
    """The caller as a person; raises `Unauthenticated` for nobody and `Forbidden` for a key."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if isinstance(caller, KeyCaller):
        raise Forbidden("A key can't do this: it needs a person who is signed in.")
    return caller


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

    `permission` is had by role or by a key's scopes; `scope` asks for a key with that scope, so no person passes. Mutations `lock`:
    then the membership that was checked can't be changed or taken away, nor the key revoked, before the transaction ends.
    Raises `Unauthenticated` for nobody and for a key that ended meanwhile, `NotFound` for what the caller may not know exists,
    `Forbidden` for what it may not do.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if isinstance(caller, UserCaller):
        access = await _for_user(session, caller, workspace_id, lock)
        has_scope = scope is None
    else:
        access = await _for_key(session, caller, workspace_id, lock)
        has_scope = scope is None or scope in usable_scopes(caller)
    if not has_scope or (permission is not None and permission not in access.permissions):
        raise Forbidden
    return access


async def refusals_of(
    session: Session, callers: Collection[Caller], workspace_id: UUID, permission: WorkspacePermission
) -> dict[Caller, ProtocolError]:
    """What `workspace_for` raises, for each of the callers that it refuses; a person is looked up once for all their sessions."""
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
    """Whose rights a caller has: the person's, or the key's."""
    match caller:
        case UserCaller():
            return caller.user_id
        case KeyCaller():
            return caller.key_id
        case Anonymous():
            return None


async def workspaces_of(session: Session, caller: UserCaller) -> list[WorkspaceAccess]:
    """The workspaces the caller belongs to, the personal one first, then in the order of joining."""
    found = await store.of_user(session, caller.user_id)
    return [_as_member(workspace, role) for workspace, role in found]


async def _for_user(session: Session, caller: UserCaller, workspace_id: UUID, lock: bool) -> WorkspaceAccess:
    found = await store.with_role(session, workspace_id, caller.user_id, lock=lock)
    if found is None:
        raise NotFound
    return _as_member(*found)


def _as_member(workspace: WorkspaceRow, role_name: str) -> WorkspaceAccess:
    role = WorkspaceRole(role_name)
    return WorkspaceAccess(workspace, role, ROLE_PERMISSIONS[role])


async def _for_key(session: Session, caller: KeyCaller, workspace_id: UUID, lock: bool) -> WorkspaceAccess:
    if lock and not await key_store.hold(session, caller.key_id, at=session.real_now):
        raise Unauthenticated
    if not caller.is_service and caller.workspace_id != workspace_id:
        raise NotFound
    workspace = await store.get(session, workspace_id)
    if workspace is None:
        raise NotFound
    return WorkspaceAccess(workspace, None, key_permissions(usable_scopes(caller)))


def usable_scopes(key: KeyCaller) -> frozenset[ApiScope]:
    """What a key may be used for: the scopes of the host product's servers are good on their own keys only, whatever a row says."""
    return key.scopes if key.is_service else key.scopes - SERVICE_SCOPES


def key_permissions(scopes: frozenset[ApiScope]) -> frozenset[WorkspacePermission]:
    """What a key with these scopes may do in the workspaces it reaches."""
    return frozenset[WorkspacePermission]().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes))


async def workspace_by_handle(session: Session, caller: Caller, handle: str) -> WorkspaceAccess:
    """The workspace that goes by `handle`, without regard to case; raises as `workspace_for` does."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    workspace_id = await store.id_by_handle(session, handle.lower())
    if workspace_id is None:
        raise NotFound
    return await workspace_for(session, caller, workspace_id)


async def workspace_by_external_id(session: Session, caller: Caller, external_id: str) -> WorkspaceAccess:
    """The workspace that the host product knows by `external_id`: for its own keys only, `Forbidden` for all others."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if not isinstance(caller, KeyCaller) or not caller.is_service:
        raise Forbidden("Only a service key can look a workspace up by its external id.")
    workspace_id = await store.id_by_external_id(session, external_id)
    if workspace_id is None:
        raise NotFound
    return await workspace_for(session, caller, workspace_id)
