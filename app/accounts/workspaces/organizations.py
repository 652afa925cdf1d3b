"""Creating organizations, and changing the name, handle and external id of a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.callers import Caller, KeyCaller, UserCaller, require_user
from app.accounts.access.permissions import ApiScope, WorkspacePermission, WorkspaceRole
from app.accounts.access.workspace_access import Workspace, WorkspaceAccess, workspace_for, workspace_seen_by
from app.accounts.people.handles import (
    HandleTaken,
    change_handle,
    check_handle,
    claim_generated_handle,
    claim_handle,
    counting_refusals,
)
from app.accounts.people.milestones import Milestones
from app.accounts.people.users import lock_joining_user
from app.accounts.security.rate_limits import Limit, RateLimits, count_unless_refused
from app.accounts.security.secrets import HashKeys
from app.accounts.security.text_input import one_line
from app.accounts.workspaces.members import lock_workspace
from app.accounts.workspaces.partial_changes import UNCHANGED, OrUnchanged
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.ids import uuid7
from app.store import workspaces as workspace_store

PER_USER_A_DAY = Limit("organization:user-day", most=20, per_seconds=86_400)
# each change holds the former handle, which then nobody else can take
HANDLES_PER_WORKSPACE_A_DAY = Limit("organization:handle-day", most=10, per_seconds=86_400)

MOST_NAME_CHARACTERS = 100
MOST_EXTERNAL_ID_CHARACTERS = 255
_NAME, _HANDLE, _EXTERNAL_ID = ("input", "name"), ("input", "handle"), ("input", "externalId")


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """The form as it was filled in, before it is checked; without a handle one is generated from the name."""

    name: str
    handle: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceChange:
    """The new name, handle and external id of a workspace; `UNCHANGED` for those that stay."""

    name: OrUnchanged[str | None] = UNCHANGED
    handle: OrUnchanged[str | None] = UNCHANGED
    external_id: OrUnchanged[str | None] = UNCHANGED


async def create_organization(
    database: Database,
    abuse_key: HashKeys,
    limits: RateLimits,
    caller: Caller,
    form: NewOrganization,
    *,
    owners_set_external_ids: bool,
    milestones: Milestones | None = None,
) -> WorkspaceAccess:
    """Create an organization, of which the caller is the owner; `milestones` are told of it.

    Raises `InvalidInput`, `HandleInvalid`, `HandleTaken`, `Conflict` for an external id that another workspace has, `Forbidden`
    for any external id unless `owners_set_external_ids`, `AccountClosing`, and `RateLimited` by `PER_USER_A_DAY` or for too many
    handles that are taken.
    """
    user = require_user(caller)
    name = one_line(form.name, "A name", at_most=MOST_NAME_CHARACTERS, path=_NAME)
    handle = check_handle(form.handle, path=_HANDLE) if form.handle is not None else None
    external_id = _checked_external_id(form.external_id)
    if external_id is not None and not owners_set_external_ids:
        raise Forbidden("Here only the host product's servers set external ids.")

    async def create(session: Session) -> WorkspaceAccess:
        access = await _create(session, abuse_key, user, name, handle, external_id)
        if milestones is not None:
            await milestones.organization_created(session, user.user_id, access.workspace.id)
        return access

    async def create_limited() -> WorkspaceAccess:
        work = partial(transact, database, create, step="create-organization")
        return await count_unless_refused(database, limits, work, (PER_USER_A_DAY, str(user.user_id)))

    return await (
        create_limited() if handle is None else counting_refusals(database, limits, user.user_id, create_limited)
    )


async def _create(
    session: Session, abuse_key: HashKeys, user: UserCaller, name: str, handle: str | None, external_id: str | None
) -> WorkspaceAccess:
    await lock_joining_user(session, user.user_id)
    workspace_id = uuid7()
    if handle is None:
        handle = await claim_generated_handle(session, abuse_key, workspace_id, name, fallback_prefix="organization")
    elif not await claim_handle(session, abuse_key, handle, workspace_id):
        raise HandleTaken(path=_HANDLE)
    workspace = WorkspaceRow(
        id=workspace_id,
        kind="ORGANIZATION",
        name=name,
        handle=handle,
        created_by=user.user_id,
        created_at=session.now,
        version=1,
    )
    await workspace_store.add(session, workspace)
    owner = MembershipRow(
        workspace_id=workspace_id, user_id=user.user_id, role=WorkspaceRole.OWNER, joined_at=session.now
    )
    await workspace_store.add_member(session, owner)
    detail = {"name": name, "handle": handle}
    await _record(session, user, workspace_id, "organization.created", "The organization was made.", after=detail)
    if external_id is not None:
        await _set_external_id(session, user, workspace, external_id)
    return await workspace_for(session, user, workspace_id)


async def update_workspace(
    database: Database,
    limits: RateLimits,
    abuse_key: HashKeys,
    caller: Caller,
    workspace_id: UUID,
    change: WorkspaceChange,
    *,
    owners_set_external_ids: bool,
) -> WorkspaceAccess:
    """Change the name, handle or external id of a workspace.

    Owners may change the name and handle, and set an external id where there is none, if `owners_set_external_ids`. A service key
    with OPERATOR may set, change and clear external ids only. Raises `Forbidden` for anything else, `InvalidInput`,
    `HandleInvalid`, `HandleTaken`, `Conflict` for an external id that another workspace has, and what `workspace_for` raises.
    """
    access = await workspace_seen_by(Reads(database), caller, workspace_id)
    _require_right(access, caller, change)
    change = _checked_change(access.workspace, change)

    async def apply(session: Session) -> WorkspaceAccess:
        access = await lock_workspace(session, caller, workspace_id)
        _require_right(access, caller, change)
        row = await workspace_store.get(session, workspace_id)
        if row is None:
            raise NotFound
        await _apply(session, abuse_key, caller, row, change, owners_set_external_ids=owners_set_external_ids)
        await session.flush()
        return access

    work = partial(transact, database, apply, step="update-workspace")
    if change.handle is UNCHANGED or change.handle == access.workspace.handle:
        return await work()

    async def limited() -> WorkspaceAccess:
        return await count_unless_refused(database, limits, work, (HANDLES_PER_WORKSPACE_A_DAY, str(workspace_id)))

    return await counting_refusals(database, limits, require_user(caller).user_id, limited)


def _require_right(access: WorkspaceAccess, caller: Caller, change: WorkspaceChange) -> None:
    if isinstance(caller, KeyCaller):
        if not _is_operator(caller):
            raise Forbidden
        if change.name is not UNCHANGED or change.handle is not UNCHANGED:
            raise Forbidden("A key can change a workspace's external id, and nothing else of it.")
    elif WorkspacePermission.MANAGE_WORKSPACE not in access.permissions:
        raise Forbidden


def _is_operator(caller: Caller) -> bool:
    return isinstance(caller, KeyCaller) and caller.is_service and ApiScope.OPERATOR in caller.scopes


def _checked_change(workspace: Workspace, change: WorkspaceChange) -> WorkspaceChange:
    """The change with its values checked and cleaned; raises for those that are not allowed."""
    name, handle, external_id = change.name, change.handle, change.external_id
    if name is not UNCHANGED:
        name = one_line(name or "", "A name", at_most=MOST_NAME_CHARACTERS, path=_NAME)
    if handle is not UNCHANGED:
        if workspace.kind == "PERSONAL":
            raise InvalidInput(
                "The handle of a personal workspace is its owner's User ID: change it with changeHandle.", path=_HANDLE
            )
        if handle is None:
            raise InvalidInput("An organization can't be without a handle.", path=_HANDLE)
        handle = check_handle(handle, path=_HANDLE)
    if external_id is not UNCHANGED:
        external_id = _checked_external_id(external_id)
    return WorkspaceChange(name, handle, external_id)


def _checked_external_id(text: str | None) -> str | None:
    if text is None:
        return None
    return one_line(text, "An external id", at_most=MOST_EXTERNAL_ID_CHARACTERS, path=_EXTERNAL_ID)


async def _apply(
    session: Session,
    abuse_key: HashKeys,
    caller: Caller,
    workspace: WorkspaceRow,
    change: WorkspaceChange,
    *,
    owners_set_external_ids: bool,
) -> None:
    if change.name is not UNCHANGED and change.name is not None and change.name != workspace.name:
        before = workspace.name
        await workspace_store.rename(session, workspace, change.name)
        # not logged for a personal workspace, whose name is its owner's
        is_name_logged = workspace.kind == "ORGANIZATION"
        await _record(
            session,
            caller,
            workspace.id,
            "workspace.renamed",
            "The workspace was given another name.",
            before={"name": before} if is_name_logged else None,
            after={"name": workspace.name} if is_name_logged else None,
        )
    if change.handle is not UNCHANGED and change.handle is not None and change.handle != workspace.handle:
        before = workspace.handle
        await change_handle(session, abuse_key, workspace, change.handle, path=_HANDLE)
        await _record(
            session,
            caller,
            workspace.id,
            "workspace.handle_changed",
            "The organization goes by another handle.",
            before={"handle": before},
            after={"handle": change.handle},
        )
    if change.external_id is not UNCHANGED and change.external_id != workspace.external_id:
        if not _is_operator(caller):
            _require_owner_may_set_external_id(workspace, owners_set_external_ids)
        workspace.version += 1
        await _set_external_id(session, caller, workspace, change.external_id)


def _require_owner_may_set_external_id(workspace: WorkspaceRow, owners_set_external_ids: bool) -> None:
    if not owners_set_external_ids:
        raise Forbidden("Here only the host product's servers set external ids.")
    if workspace.external_id is not None:
        raise Forbidden("Once set, an external id is changed by the host product's servers only.")


async def _set_external_id(session: Session, caller: Caller, workspace: WorkspaceRow, external_id: str | None) -> None:
    was_set = workspace.external_id is not None
    if not await workspace_store.set_external_id(session, workspace.id, external_id):
        raise Conflict("Another workspace has this external id.", path=_EXTERNAL_ID)
    # the ids themselves are left out: a host product may use e-mail addresses as external ids
    await _record(
        session,
        caller,
        workspace.id,
        "workspace.external_id_set" if external_id is not None else "workspace.external_id_cleared",
        "The host product knows the workspace by an id." if external_id is not None else "The external id was cleared.",
        before={"isSet": was_set},
        after={"isSet": external_id is not None},
    )


async def _record(
    session: Session,
    caller: Caller,
    workspace_id: UUID,
    action: str,
    summary: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    await audit_log.record(
        session, workspace_id, audit_log.actor_of(caller), action, summary, before=before, after=after
    )
