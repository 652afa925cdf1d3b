"""Who belongs to a workspace, and who is invited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.accounts.access.callers import Caller, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.security.text_input import pasted
from app.accounts.workspaces import invitations
from app.errors import Forbidden
from app.store import memberships as membership_store
from app.store.invitations import Offered, OpenInvitation
from app.store.memberships import SeenMembership
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size, parse_time_and_id, time_and_id
from resolvers.workspaces import workspace_by_id

USUAL_MEMBERS: Final = 50


async def member_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[SeenMembership]:
    """A page of the workspace's members, who joined last first; for members and operators."""
    _require_member_or_operator(access, context.caller)
    size = page_size(first, usual=USUAL_MEMBERS)
    before = decode_cursor(after, parse_time_and_id) if after is not None else (None, None)
    rows = await context.reads.rows(membership_store.PAGE, access.workspace.id, size + 1, *before)
    return page_of(rows, size, after, lambda row: time_and_id(row.joined_at, row.user_id))


async def member_count(context: Context, workspace_id: UUID) -> int:
    """How many members there are, for callers whose rights were checked."""
    counted = await context.reads.one_of(membership_store.COUNTS, workspace_id)
    return counted.members if counted is not None else 0


async def holds_seat(context: Context, workspace_id: UUID, user_id: UUID) -> bool:
    """Whether a member holds a seat, for callers whose rights were checked."""
    place = await context.reads.one_of(membership_store.SEAT_PLACES, (workspace_id, user_id))
    return place is not None and place.holds_at(context.reads.now)


async def membership(context: Context, membership_id: str) -> SeenMembership | None:
    """A membership by its id, for members of the workspace and operators."""
    workspace_id, user_id = global_ids.owned_id(membership_id, "Membership")
    _require_member_or_operator(await workspace_by_id(context, workspace_id), context.caller)
    return await context.reads.one_of(membership_store.MEMBERSHIPS, (workspace_id, user_id))


async def open_invitations(context: Context, access: WorkspaceAccess) -> Sequence[OpenInvitation]:
    """The workspace's open invitations, the newest first; none for who doesn't manage members."""
    return await invitations.open_invitations(context.reads, access)


async def invitation(context: Context, invitation_id: str) -> OpenInvitation | None:
    """An open invitation by its id, for those who manage members."""
    workspace_id, row_id = global_ids.owned_id(invitation_id, "Invitation")
    rows = await open_invitations(context, await workspace_by_id(context, workspace_id))
    return next((row for row in rows if row.id == row_id), None)


async def offer(context: Context, token: str) -> Offered | None:
    """What the holder of a mailed link is invited to; None for anyone whom it wasn't mailed to."""
    caller = context.caller
    if not isinstance(caller, UserCaller):
        return None
    return await invitations.offer_of(context.reads, caller, pasted(token))


def _require_member_or_operator(access: WorkspaceAccess, caller: Caller) -> None:
    """Raise `Forbidden` for keys, but for the operators': who belongs to a workspace is no matter of billing."""
    is_operator = isinstance(caller, KeyCaller) and caller.is_service and ApiScope.OPERATOR in caller.scopes
    if access.role is None and not is_operator:
        raise Forbidden("Members are seen by members, and by service keys with OPERATOR.")
