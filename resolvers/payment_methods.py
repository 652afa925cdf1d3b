"""Payment methods: the cards of a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.billing.payments import card_mirror
from app.db.tables.payments import CardRow
from app.db.unit_of_work import transact
from app.store import billing_accounts as billing_account_store
from resolvers import global_ids
from resolvers.billing_access import sees_billing
from resolvers.context import Context


async def cards(context: Context, access: WorkspaceAccess) -> Sequence[CardRow] | None:
    """The workspace's cards, for those who see its billing."""
    if not sees_billing(access):
        return None
    await check_soon(context, access.workspace.id)
    async with context.runtime.database.read() as session:
        return await billing_account_store.cards(session, access.workspace.id)


async def check_soon(context: Context, workspace_id: UUID) -> None:
    """Have the worker look at once for a card that is being saved, if one is: somebody reads the cards."""
    database = context.runtime.database
    async with database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
    if card_mirror.may_be_checked_soon(account, database.clock.now()):
        await transact(database, lambda session: card_mirror.check_soon(session, workspace_id), step="cards.look_soon")


async def card(context: Context, card_id: str) -> CardRow | None:
    """A card by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, permission=WorkspacePermission.VIEW_BILLING)
        return await billing_account_store.card(session, workspace_id, row_id)
