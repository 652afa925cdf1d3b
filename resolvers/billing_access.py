"""Who may see and change what a workspace is billed."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.callers import Caller, UserCaller
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for, workspace_seen_by
from app.accounts.people.users import require_verified_email
from app.db.engine import Session
from app.flows.provider.cards import Authorize
from resolvers.context import Context


def sees_billing(access: WorkspaceAccess) -> bool:
    """Whether the caller may see what concerns the workspace's money."""
    return WorkspacePermission.VIEW_BILLING in access.permissions


async def require_billing_view(context: Context, workspace_id: UUID) -> None:
    """Raise unless the caller may see what concerns this workspace's money; see `workspace_for`."""
    await workspace_seen_by(context.reads, context.caller, workspace_id, permission=WorkspacePermission.VIEW_BILLING)


async def require_payer(session: Session, caller: Caller) -> None:
    """Raise `EmailUnverified` for a person without a verified address; a key was made by somebody who has one."""
    if isinstance(caller, UserCaller):
        await require_verified_email(session, caller.user_id)


def billing_authorization(context: Context, workspace_id: UUID) -> Authorize:
    """A check, to be made on locked rows, that the caller may change what the workspace is billed."""

    async def authorize(session: Session) -> WorkspaceAccess:
        return await workspace_for(
            session, context.caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING, lock=True
        )

    return authorize
