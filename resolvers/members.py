"""Who belongs to a workspace, and who is invited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from app.accounts.access.callers import Caller, KeyCaller, UserCaller, require_user
from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.people import public_profiles
from app.accounts.people.users import User
from app.accounts.security.text_input import pasted
from app.accounts.workspaces import invitations, members
from app.accounts.workspaces.invitations import NewInvitation, Offer
from app.billing.subscriptions.joining import accept_invitation as join
from app.db.engine import Session
from app.db.tables.workspaces import InvitationRow, MembershipRow
from app.db.unit_of_work import transact
from app.errors import Forbidden, NotFound
from app.ledger.movements import Key
from app.store import memberships as membership_store
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size

MEMBERS_PAGE = 50


async def member_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[MembershipRow]:
    """A page of the workspace's members, who joined last first; for members and operators."""
    _require_sight(access, context.caller)
    size = page_size(first, usual=MEMBERS_PAGE)
    before = decode_cursor(after, _place) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await membership_store.page(session, access.workspace.id, limit=size + 1, before=before)
    return page_of(rows, size, after, lambda row: f"{row.joined_at.isoformat()}|{row.user_id.hex}")


async def member_count(context: Context, workspace_id: UUID) -> int:
    """How many members there are, for callers whose rights were checked."""
    async with context.runtime.database.read() as session:
        return await membership_store.count(session, workspace_id)


async def membership(context: Context, membership_id: str) -> MembershipRow | None:
    """A membership by its id, for members of the workspace and operators."""
    owner, user_id = global_ids.owned_id(membership_id, "Membership")
    async with context.runtime.database.read() as session:
        access = await workspace_for(session, context.caller, owner)
        _require_sight(access, context.caller)
        return await membership_store.find(session, owner, user_id)


async def profile_of(context: Context, user_id: UUID) -> User:
    """A member's profile, for callers who see the membership."""
    found = await context.loaders.profiles.load(user_id)
    if found is None:
        raise NotFound
    return found


async def profile(context: Context, profile_id: str) -> User | None:
    """A profile by its id, if the caller may see it."""
    user_id = global_ids.row_id(profile_id, "Profile")
    async with context.runtime.database.read() as session:
        return await public_profiles.profile_for(session, context.caller, user_id)


async def open_invitations(context: Context, access: WorkspaceAccess) -> Sequence[InvitationRow]:
    """The workspace's open invitations, the newest first; none for who doesn't manage members."""
    async with context.runtime.database.read() as session:
        return await invitations.open_invitations(session, access)


async def invitation(context: Context, invitation_id: str) -> InvitationRow | None:
    """An open invitation by its id, for those who manage members."""
    owner, row_id = global_ids.owned_id(invitation_id, "Invitation")
    async with context.runtime.database.read() as session:
        return await invitations.open_invitation(session, context.caller, owner, row_id)


async def offer(context: Context, token: str) -> Offer | None:
    """What the holder of a mailed link is invited to; None for anyone whom it wasn't mailed to."""
    caller = context.caller
    if not isinstance(caller, UserCaller):
        return None
    async with context.runtime.database.read() as session:
        return await invitations.offer_of(session, caller, pasted(token))


async def invite_member(
    context: Context, workspace_id: str, email_address: str, role: WorkspaceRole
) -> WorkspaceAccess:
    """Mail an invitation."""
    require_user(context.caller)
    runtime = context.runtime
    return await invitations.invite(
        runtime.database,
        runtime.keys,
        runtime.rate_limits,
        context.caller,
        NewInvitation(global_ids.workspace_id(workspace_id), email_address, role),
        remote_address=context.remote_address,
        public_url=runtime.public_url,
    )


async def revoke_invitation(context: Context, invitation_id: str) -> WorkspaceAccess:
    """Let a mailed link lead nowhere."""
    caller = require_user(context.caller)
    owner, row_id = global_ids.owned_id(invitation_id, "Invitation")

    async def revoke(session: Session) -> WorkspaceAccess:
        return await invitations.revoke(session, caller, owner, row_id)

    return await transact(context.runtime.database, revoke, step="revoke-invitation")


async def accept_invitation(context: Context, token: str, idempotency_key: str) -> WorkspaceAccess | None:
    """Follow a mailed link into an organization."""
    caller = require_user(context.caller)
    key = Key.of("acceptInvitation", idempotency_key).value
    runtime = context.runtime

    async def accept(session: Session) -> WorkspaceAccess | None:
        return await join(session, runtime.catalog, caller, pasted(token), key)

    return await transact(runtime.database, accept, step="accept-invitation")


async def change_member_role(context: Context, membership_id: str, role: WorkspaceRole) -> WorkspaceAccess:
    """Give a member another role."""
    caller = require_user(context.caller)
    owner, user_id = global_ids.owned_id(membership_id, "Membership")

    async def change(session: Session) -> WorkspaceAccess:
        return await members.change_role(session, caller, owner, user_id, role)

    return await transact(context.runtime.database, change, step="change-member-role")


async def remove_member(context: Context, membership_id: str) -> WorkspaceAccess | None:
    """Remove a member, or leave; None for who left."""
    caller = require_user(context.caller)
    owner, user_id = global_ids.owned_id(membership_id, "Membership")

    async def remove(session: Session) -> WorkspaceAccess | None:
        return await members.remove_member(session, caller, owner, user_id)

    return await transact(context.runtime.database, remove, step="remove-member")


def _require_sight(access: WorkspaceAccess, caller: Caller) -> None:
    """Raise `Forbidden` for keys, but for the operators': who belongs to a workspace is no matter of billing."""
    is_operator = isinstance(caller, KeyCaller) and caller.is_service and ApiScope.OPERATOR in caller.scopes
    if access.role is None and not is_operator:
        raise Forbidden("Members are seen by members, and by service keys with OPERATOR.")


def _place(text: str) -> tuple[datetime, UUID]:
    joined_at, _, user_id = text.partition("|")
    # of a time without an offset no moment can be told: astimezone would take it for the machine's own
    if datetime.fromisoformat(joined_at).tzinfo is None:
        raise ValueError(text)
    return datetime.fromisoformat(joined_at).astimezone(UTC), UUID(hex=user_id)
