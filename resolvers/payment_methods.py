"""Payment methods: the cards of a workspace."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.access.workspace_access import WorkspaceAccess
from app.store import billing_accounts as billing_account_store
from app.store.billing_accounts import Card
from resolvers import global_ids
from resolvers.billing_access import require_billing_view, sees_billing
from resolvers.context import Context


async def cards(context: Context, access: WorkspaceAccess) -> Sequence[Card] | None:
    """The workspace's cards, for those who see its billing."""
    if not sees_billing(access):
        return None
    return await context.reads.all_of(billing_account_store.CARDS_OF_WORKSPACES, access.workspace.id)


async def card(context: Context, card_id: str) -> Card | None:
    """A card by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    await require_billing_view(context, workspace_id)
    return await context.reads.one_of(billing_account_store.CARDS, (workspace_id, row_id))
