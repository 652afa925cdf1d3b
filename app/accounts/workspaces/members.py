"""The members of a workspace: changing roles, removing members, who may do that to whom, and that an owner remains.

Every change of a membership locks the workspace first, and only then reads its members.
"""

from __future__ import annotations

from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.callers import Caller, UserCaller
from app.accounts.access.permissions import ROLE_PERMISSIONS, WorkspacePermission, WorkspaceRole
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.security.secrets import new_token, token_hash
from app.db.engine import Session
from app.db.tables.workspaces import MembershipRow
from app.error_codes import ErrorCode
from app.errors import DomainError, Forbidden, InvalidInput, NotFound
from app.store import invitations as invitation_store
from app.store import memberships as membership_store
from app.store import workspaces as workspace_store

_RANKS = (WorkspaceRole.MEMBER, WorkspaceRole.ADMIN, WorkspaceRole.OWNER)


class LastOwner(DomainError):
    """A workspace can't be left without an owner. Make somebody else an owner first."""

    code = ErrorCode.LAST_OWNER


def manages(own_role: WorkspaceRole | None, other_role: WorkspaceRole) -> bool:
    """Whether a member with `own_role` may give and take `other_role`: owners and admins may, up to their own role."""
    if own_role is None or WorkspacePermission.MANAGE_MEMBERS not in ROLE_PERMISSIONS[own_role]:
        return False
    return _RANKS.index(other_role) <= _RANKS.index(own_role)


def require_manager(access: WorkspaceAccess, *roles: WorkspaceRole) -> None:
    """Raise `Forbidden` unless the caller, who may hold no seat, may give and take each of the roles."""
    if WorkspacePermission.MANAGE_MEMBERS not in access.permissions:
        raise Forbidden
    if not all(manages(access.role, role) for role in roles):
        raise Forbidden("This needs a role at least as high as the one that is given or taken.")


async def lock_workspace(
    session: Session, caller: Caller, workspace_id: UUID, *, permission: WorkspacePermission | None = None
) -> WorkspaceAccess:
    """`workspace_for` with the workspace locked: neither it nor its members can change before the transaction ends."""
    if await workspace_store.lock(session, workspace_id) is None:
        raise NotFound
    return await workspace_for(session, caller, workspace_id, permission=permission, lock=True)


async def change_role(
    session: Session, caller: UserCaller, workspace_id: UUID, user_id: UUID, role: WorkspaceRole
) -> WorkspaceAccess:
    """Give a member another role; returns the caller's access after that.

    For those who may give both the old role and the new one. Raises `LastOwner` for the only owner, and `NotFound` for a user who
    is no member.
    """
    access = await lock_workspace(session, caller, workspace_id, permission=WorkspacePermission.MANAGE_MEMBERS)
    membership = await _membership(session, workspace_id, user_id)
    before = WorkspaceRole(membership.role)
    require_manager(access, before, role)
    if role is before:
        return access
    if before is WorkspaceRole.OWNER:
        await _require_another_owner(session, workspace_id)
    await membership_store.set_role(session, membership, role)
    await _end_invitations_by(session, workspace_id, audit_log.actor_of(caller), user_id, role)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.actor_of(caller),
        "member.role_changed",
        "A member was given another role.",
        before={"role": before.value},
        after={"role": role.value},
        subject=_subject(caller, user_id),
    )
    return await workspace_for(session, caller, workspace_id)


async def remove_member(
    session: Session, caller: UserCaller, workspace_id: UUID, user_id: UUID
) -> WorkspaceAccess | None:
    """Remove a member: one whose role the caller may take, or the caller themselves.

    Returns the caller's access, None when the caller left. Raises `LastOwner` for the only owner, `InvalidInput` for a personal
    workspace, and `NotFound` for a user who is no member.
    """
    access = await lock_workspace(session, caller, workspace_id)
    leaves = user_id == caller.user_id
    if not leaves and WorkspacePermission.MANAGE_MEMBERS not in access.permissions:
        # before looking whether the user is a member, which the caller may not learn
        raise Forbidden
    role = WorkspaceRole((await _membership(session, workspace_id, user_id)).role)
    if not leaves:
        require_manager(access, role)
    if access.workspace.kind == "PERSONAL":
        raise InvalidInput("A personal workspace can't be left: it goes with the account.", path=("input", "id"))
    if role is WorkspaceRole.OWNER:
        await _require_another_owner(session, workspace_id)
    await membership_store.remove(session, workspace_id, user_id)
    await end_invitations(session, workspace_id, audit_log.actor_of(caller), user_id)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.actor_of(caller),
        "member.left" if leaves else "member.removed",
        "A member left." if leaves else "A member was removed.",
        before={"role": role.value},
        after={"role": None},
        subject=_subject(caller, user_id),
    )
    return None if leaves else access


async def end_invitations(session: Session, workspace_id: UUID, actor: Actor, user_id: UUID) -> None:
    """End the open invitations of a user who is no member any more: those they sent, and those sent to their addresses.

    `actor` is who removed the user. Those sent to the user stay on the list until they expire, with a token that nobody has: if
    they disappeared, the managers would learn which of the addresses are the user's.
    """
    await _end_invitations_by(session, workspace_id, actor, user_id, None)
    for invitation in await invitation_store.open_to_user(session, workspace_id, user_id):
        invitation.token_hash = token_hash(new_token())


async def _end_invitations_by(
    session: Session, workspace_id: UUID, actor: Actor, user_id: UUID, role: WorkspaceRole | None
) -> None:
    """Remove the open invitations that a user sent for roles which they may not give with `role`; None for no role."""
    beyond = [other_role.value for other_role in WorkspaceRole if not manages(role, other_role)]
    for invitation in await invitation_store.remove_sent_by(session, workspace_id, user_id, beyond):
        await audit_log.record(
            session,
            workspace_id,
            actor,
            "invitation.revoked",
            "An invitation ended with its sender's right to give the role.",
            before={"role": invitation.role, "invitation": str(invitation.id)},
        )


async def _membership(session: Session, workspace_id: UUID, user_id: UUID) -> MembershipRow:
    membership = await membership_store.find(session, workspace_id, user_id)
    if membership is None:
        raise NotFound
    return membership


async def _require_another_owner(session: Session, workspace_id: UUID) -> None:
    if await membership_store.count_role(session, workspace_id, WorkspaceRole.OWNER) < 2:
        raise LastOwner


def _subject(caller: UserCaller, user_id: UUID) -> UUID | None:
    """The subject of an audit event: None if it is the actor."""
    return user_id if user_id != caller.user_id else None
