"""Invitations to organizations: sending them by mail, listing and revoking them, and what the holder of a link may see.

An invitation is for one e-mail address, can be accepted once, and expires after `LIFETIME`. Answers and mails are the same whether
or not the address has an account or its owner is a member already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import quote
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.callers import Caller, UserCaller, require_user
from app.accounts.access.permissions import WorkspacePermission, WorkspaceRole
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.people.email_syntax import EmailAddress, parse_email
from app.accounts.security.rate_limits import Limit, RateLimits, count_begun, network_of
from app.accounts.security.secrets import Keys, new_token, token_hash
from app.accounts.security.shared_errors import EmailUnverified
from app.accounts.workspaces.members import lock_workspace, require_manager
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.workspaces import InvitationRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput, NotFound
from app.ids import uuid7
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.store import invitations as invitation_store
from app.store.invitations import Offered, OpenInvitation

LIFETIME = timedelta(days=7)
MOST_OPEN = 500

PER_WORKSPACE = Limit("invitation:workspace", most=100, per_seconds=3_600)
PER_INVITER = Limit("invitation:inviter", most=100, per_seconds=3_600)
PER_NETWORK = Limit("invitation:network", most=200, per_seconds=3_600)
PER_ADDRESS_A_DAY = Limit("invitation:address-day", most=10, per_seconds=86_400)

_MANAGE_MEMBERS: Final = WorkspacePermission.MANAGE_MEMBERS


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation to send: to which workspace, to which address, and with which role."""

    workspace_id: UUID
    email_address: str
    role: WorkspaceRole = WorkspaceRole.MEMBER


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation as its invitee sees it, with the organization."""

    workspace: WorkspaceRow
    invitation: InvitationRow


async def invite(
    database: Database,
    keys: Keys,
    limits: RateLimits,
    caller: Caller,
    invitation: NewInvitation,
    *,
    remote_address: str,
    public_url: str,
) -> WorkspaceAccess:
    """Mail an invitation to an address; it replaces an open one to the same address for this organization.

    For those who may give the role. Raises `InvalidInput` for a personal workspace, for what is no address, and when there are
    `MOST_OPEN` open invitations; `RateLimited`; and what `workspace_for` raises.
    """
    user = require_user(caller)
    async with database.read() as session:
        access = await workspace_for(session, user, invitation.workspace_id, permission=_MANAGE_MEMBERS)
    require_manager(access, invitation.role)
    if access.workspace.kind == "PERSONAL":
        raise InvalidInput(
            "A personal workspace is one person's: make an organization to invite others.",
            path=("input", "workspaceId"),
        )
    email = parse_email(invitation.email_address, path=("input", "emailAddress"))

    async def save(session: Session) -> WorkspaceAccess:
        access = await lock_workspace(session, user, invitation.workspace_id, permission=_MANAGE_MEMBERS)
        token = await _replace(session, user, access, email, invitation.role)
        await count_begun(
            session,
            limits,
            (PER_WORKSPACE, str(invitation.workspace_id)),
            (PER_INVITER, str(user.user_id)),
            (PER_NETWORK, network_of(remote_address)),
            (PER_ADDRESS_A_DAY, email.key),
        )
        link = f"{public_url}/accept-invitation?token={token}"
        queue_mail(session, message_texts.invitation(email.address, link, LIFETIME), keys.mail)
        return access

    return await transact(database, save, step="invite-member")


async def _replace(
    session: Session, user: UserCaller, access: WorkspaceAccess, email: EmailAddress, role: WorkspaceRole
) -> str:
    """Store a new invitation in place of the former one to the address; returns its token, quoted for a URL."""
    workspace_id = access.workspace.id
    former = await invitation_store.open_to(session, workspace_id, email.key)
    if former is not None:
        require_manager(access, WorkspaceRole(former.role))
        await invitation_store.remove(session, workspace_id, former.id)
    require_manager(access, role)
    if await invitation_store.count_open(session, workspace_id, at=session.now) >= MOST_OPEN:
        raise InvalidInput(f"There are {MOST_OPEN} open invitations, which is the most. Revoke some first.")
    token = new_token()
    row = InvitationRow(
        workspace_id=workspace_id,
        id=uuid7(),
        address=email.address,
        address_key=email.key,
        role=role.value,
        token_hash=token_hash(token),
        invited_by=user.user_id,
        created_at=session.now,
        expires_at=session.now + LIFETIME,
    )
    await invitation_store.add(session, row)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.actor_of(user),
        "member.invited",
        "Someone was invited." if former is None else "Someone was invited again; the former link is dead.",
        before={"role": former.role, "invitation": str(former.id)} if former is not None else None,
        after={"role": role.value, "invitation": str(row.id)},
    )
    return quote(token)


async def revoke(session: Session, caller: Caller, workspace_id: UUID, invitation_id: UUID) -> WorkspaceAccess:
    """Revoke an open invitation; for those who may give its role. Raises `NotFound` for any other invitation."""
    access = await lock_workspace(session, require_user(caller), workspace_id, permission=_MANAGE_MEMBERS)
    row = await invitation_store.open_one(session, workspace_id, invitation_id, at=session.now)
    if row is None:
        raise NotFound
    require_manager(access, WorkspaceRole(row.role))
    await invitation_store.remove(session, workspace_id, row.id)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.actor_of(caller),
        "invitation.revoked",
        "An invitation was revoked.",
        before={"role": row.role, "invitation": str(row.id)},
    )
    return access


async def open_invitations(reads: Reads, access: WorkspaceAccess) -> Sequence[OpenInvitation]:
    """The open invitations, the newest first; none for callers without MANAGE_MEMBERS, who may not see the addresses."""
    if _MANAGE_MEMBERS not in access.permissions:
        return ()
    return await reads.rows(invitation_store.OPEN, access.workspace.id, reads.now)


async def offer_of(reads: Reads, caller: UserCaller, token: str) -> Offered | None:
    """The invitation with this token, for a caller who has verified its address, or who has accepted it and is still a member.

    None for any other caller, and for a token that is unknown, used or expired.
    """
    now = reads.now
    found = await reads.row(invitation_store.OFFERS, token_hash(token), caller.user_id)
    if found is None:
        return None
    if found.accepted_by == caller.user_id:
        return found if found.is_member else None
    is_open = found.accepted_by is None and found.expires_at > now
    return found if is_open and found.has_address else None


def is_open(session: Session, row: InvitationRow) -> bool:
    """Whether the invitation can be accepted: it is neither used nor expired.

    One whose sender may no longer give its role has no row any more: `members.py` removes it.
    """
    return row.accepted_by is None and row.expires_at > session.now


async def require_invitee(session: Session, user: UserCaller, row: InvitationRow, *, lock: bool) -> None:
    """Raise `EmailUnverified`, saying which step is missing, unless the user has verified the invited address.

    With `lock` the address can't be removed before the transaction ends. The message names the address only to a user who has it:
    the link may have been passed on to somebody else.
    """
    email = await invitation_store.email_of(session, user.user_id, row.address_key or "", lock=lock)
    if email is None:
        raise EmailUnverified(
            "This invitation went to an e-mail address that your account does not have. Add and verify that address, or sign in "
            "to the account that has it; then follow the link again."
        )
    if email.verified_at is None:
        raise EmailUnverified(
            f"Verify {email.address} first: follow the link that was mailed there. Then accept the invitation again."
        )
