"""Closing a workspace that is being deleted: from then on nothing new is charged to it, and nobody joins it."""

from __future__ import annotations

from uuid import UUID

from app.db.engine import Session
from app.db.tables.payments import BillingAccountRow
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.store import billing_accounts as billing_account_store
from app.store import deletions as deletion_store
from app.store import subscriptions as subscription_store


class WorkspaceClosing(DomainError):
    """This workspace is being deleted: nothing can be bought for it, and nobody can join it, any more."""

    code = ErrorCode.CONFLICT


def require_open(account: BillingAccountRow | None) -> None:
    """Raise `WorkspaceClosing` for the account of a workspace that is being deleted."""
    if account is not None and account.closing_at is not None:
        raise WorkspaceClosing


async def close(session: Session, workspace_id: UUID) -> None:
    """Let nothing new be charged to the workspace. Waits for a transaction that is just beginning to charge it."""
    account = await billing_account_store.lock(session, workspace_id)
    if account.closing_at is None:
        account.closing_at = session.now


async def reopen(session: Session, workspace_id: UUID) -> None:
    """Let the workspace buy again after a deletion was cancelled, unless another deletion includes it."""
    account = await billing_account_store.lock(session, workspace_id)
    if not await deletion_store.includes_workspace(session, workspace_id):
        account.closing_at = None
        # what the deletion has ended before it was cancelled is looked at now
        await subscription_store.check_soon(session, workspace_id)
