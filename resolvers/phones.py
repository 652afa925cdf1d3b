"""The verified phone of a workspace."""

from __future__ import annotations

from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.workspaces import phone_verification
from app.db.tables.workspaces import PhoneRow
from resolvers.billing_access import sees_billing
from resolvers.context import Context


async def phone(context: Context, access: WorkspaceAccess) -> PhoneRow | None:
    """The workspace's verified number, for those who see its billing."""
    if not sees_billing(access):
        return None
    async with context.runtime.database.read() as session:
        return await phone_verification.phone_of(session, access.workspace.id)
