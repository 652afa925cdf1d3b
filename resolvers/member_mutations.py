"""Inviting, accepting, changing and removing members."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.callers import require_user
from app.accounts.access.permissions import WorkspaceRole
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.security.text_input import pasted
from app.accounts.workspaces import invitations, members
from app.accounts.workspaces.invitations import NewInvitation
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.subscriptions import automatic_seats
from app.flows.subscriptions.automatic_seats import SeatPending
from app.ledger.movements import Key
from resolvers import global_ids
from resolvers.context import Context
from resolvers.payment_rate_limits import charge_limits, note_decline


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
    """End an invitation: its mailed link leads nowhere from now on."""
    caller = require_user(context.caller)
    workspace_id, row_id = global_ids.owned_id(invitation_id, "Invitation")

    async def revoke(session: Session) -> WorkspaceAccess:
        return await invitations.revoke(session, caller, workspace_id, row_id)

    return await transact(context.runtime.database, revoke, step="revoke-invitation")


async def accept_invitation(context: Context, token: str, idempotency_key: str) -> WorkspaceAccess | None:
    """Follow a mailed link into an organization; raises `SeatPending` where the seat is not paid for yet."""
    caller = require_user(context.caller)
    key = Key.of("acceptInvitation", idempotency_key).value

    async def count(session: Session, workspace_id: UUID) -> None:
        await charge_limits(context, workspace_id)(session)

    joined = await automatic_seats.accept_invitation(context.runtime.flow_context, caller, pasted(token), key, count)
    if joined.waits_in is not None:
        if joined.was_declined:
            await note_decline(context, joined.waits_in)
        raise SeatPending
    return joined.access


async def change_member_role(context: Context, membership_id: str, role: WorkspaceRole) -> WorkspaceAccess:
    """Give a member another role."""
    caller = require_user(context.caller)
    workspace_id, user_id = global_ids.owned_id(membership_id, "Membership")

    async def change(session: Session) -> WorkspaceAccess:
        return await members.change_role(session, caller, workspace_id, user_id, role)

    return await transact(context.runtime.database, change, step="change-member-role")


async def remove_member(context: Context, membership_id: str) -> WorkspaceAccess | None:
    """Remove a member, or leave; None for who left."""
    caller = require_user(context.caller)
    workspace_id, user_id = global_ids.owned_id(membership_id, "Membership")

    async def remove(session: Session) -> WorkspaceAccess | None:
        return await members.remove_member(session, caller, workspace_id, user_id)

    return await transact(context.runtime.database, remove, step="remove-member")
