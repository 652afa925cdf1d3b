"""Payment methods: the cards of a workspace."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.db.tables.payments import CardRow
from app.store import billing_accounts as billing_account_store
from resolvers import global_ids
from resolvers.billing_access import sees_billing
from resolvers.context import Context


async def cards(context: Context, access: WorkspaceAccess) -> Sequence[CardRow] | None:
    """The workspace's cards, for those who see its billing."""
    if not sees_billing(access):
        return None
    async with context.runtime.database.read() as session:
        return await billing_account_store.cards(session, access.workspace.id)


async def card(context: Context, card_id: str) -> CardRow | None:
    """A card by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, permission=WorkspacePermission.VIEW_BILLING)
        return await billing_account_store.card(session, workspace_id, row_id)
