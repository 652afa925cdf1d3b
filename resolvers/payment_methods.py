"""Payment methods: the cards of a workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments import card_mirror
from app.db.unit_of_work import transact
from app.store import billing_accounts as billing_account_store
from app.store.billing_accounts import Card
from resolvers import global_ids
from resolvers.billing_access import require_billing_view, sees_billing
from resolvers.context import Context


async def cards(context: Context, access: WorkspaceAccess) -> Sequence[Card] | None:
    """The workspace's cards, for those who see its billing."""
    if not sees_billing(access):
        return None
    found, _ = await asyncio.gather(
        context.reads.all_of(billing_account_store.CARDS_OF_WORKSPACES, access.workspace.id),
        check_soon(context, access.workspace.id),
    )
    return found


async def check_soon(context: Context, workspace_id: UUID) -> None:
    """Have the worker look at once for a card that is being saved, if one is: somebody reads the cards."""
    account = await context.reads.one_of(billing_account_store.ACCOUNTS, workspace_id)
    if card_mirror.may_be_checked_soon(account, context.reads.now):
        database = context.runtime.database
        await transact(database, lambda session: card_mirror.check_soon(session, workspace_id), step="cards.look_soon")


async def card(context: Context, card_id: str) -> Card | None:
    """A card by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    await require_billing_view(context, workspace_id)
    return await context.reads.one_of(billing_account_store.CARDS, (workspace_id, row_id))
