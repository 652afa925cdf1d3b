"""Who belongs to a workspace, and who is invited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.accounts.access.callers import Caller, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.security.text_input import pasted
from app.accounts.workspaces import invitations
from app.accounts.workspaces.invitations import Offer
from app.db.tables.workspaces import InvitationRow, MembershipRow
from app.errors import Forbidden
from app.store import memberships as membership_store
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size, parse_time_and_id, time_and_id

USUAL_MEMBERS: Final = 50


async def member_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[MembershipRow]:
    """A page of the workspace's members, who joined last first; for members and operators."""
    _require_member_or_operator(access, context.caller)
    size = page_size(first, usual=USUAL_MEMBERS)
    before = decode_cursor(after, parse_time_and_id) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await membership_store.page(session, access.workspace.id, limit=size + 1, before=before)
    return page_of(rows, size, after, lambda row: time_and_id(row.joined_at, row.user_id))


async def member_count(context: Context, workspace_id: UUID) -> int:
    """How many members there are, for callers whose rights were checked."""
    async with context.runtime.database.read() as session:
        return await membership_store.count(session, workspace_id)


async def membership(context: Context, membership_id: str) -> MembershipRow | None:
    """A membership by its id, for members of the workspace and operators."""
    workspace_id, user_id = global_ids.owned_id(membership_id, "Membership")
    async with context.runtime.database.read() as session:
        access = await workspace_for(session, context.caller, workspace_id)
        _require_member_or_operator(access, context.caller)
        return await membership_store.find(session, workspace_id, user_id)


async def open_invitations(context: Context, access: WorkspaceAccess) -> Sequence[InvitationRow]:
    """The workspace's open invitations, the newest first; none for who doesn't manage members."""
    async with context.runtime.database.read() as session:
        return await invitations.open_invitations(session, access)


async def invitation(context: Context, invitation_id: str) -> InvitationRow | None:
    """An open invitation by its id, for those who manage members."""
    workspace_id, row_id = global_ids.owned_id(invitation_id, "Invitation")
    async with context.runtime.database.read() as session:
        return await invitations.open_invitation(session, context.caller, workspace_id, row_id)


async def offer(context: Context, token: str) -> Offer | None:
    """What the holder of a mailed link is invited to; None for anyone whom it wasn't mailed to."""
    caller = context.caller
    if not isinstance(caller, UserCaller):
        return None
    async with context.runtime.database.read() as session:
        return await invitations.offer_of(session, caller, pasted(token))


def _require_member_or_operator(access: WorkspaceAccess, caller: Caller) -> None:
    """Raise `Forbidden` for keys, but for the operators': who belongs to a workspace is no matter of billing."""
    is_operator = isinstance(caller, KeyCaller) and caller.is_service and ApiScope.OPERATOR in caller.scopes
    if access.role is None and not is_operator:
        raise Forbidden("Members are seen by members, and by service keys with OPERATOR.")
