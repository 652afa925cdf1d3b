"""The verified phone of a workspace."""

from __future__ import annotations

from app.accounts.access.workspace_access import WorkspaceAccess
from app.store import phones as phone_store
from app.store.phones import VerifiedPhone
from resolvers.billing_access import sees_billing
from resolvers.context import Context


async def phone(context: Context, access: WorkspaceAccess) -> VerifiedPhone | None:
    """The workspace's verified number, for those who see its billing."""
    if not sees_billing(access):
        return None
    return await context.reads.one_of(phone_store.PHONES, access.workspace.id)
