"""Purchases of credits, and what they cost this month."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.purchases import purchase_states, spend_limits
from app.billing.subscriptions.workspace_plan import terms_seen
from app.db.unit_of_work import transact
from app.money import Money
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from app.store.purchases import SeenPurchase
from resolvers import global_ids
from resolvers.billing_access import require_billing_view, sees_billing
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size

# no id is greater
LAST_ID: Final = UUID(int=2**128 - 1)


async def purchase(context: Context, purchase_id: str) -> SeenPurchase | None:
    """A purchase by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(purchase_id, "CreditPurchase")
    await require_billing_view(context, workspace_id)
    found = await purchase_behind(context, workspace_id, row_id)
    if found is not None:
        await check_soon(context, [found])
    return found


async def check_soon(context: Context, rows: Sequence[SeenPurchase]) -> None:
    """Have the worker look at once what became of those of these purchases that may have been paid unseen: somebody reads them."""
    database = context.runtime.database
    now = database.clock.now()
    keys = [(row.workspace_id, row.id) for row in rows if purchase_states.may_be_checked_soon(row, now)]
    if keys:
        await transact(database, lambda session: purchase_states.check_soon(session, keys), step="purchase.look_soon")


async def purchase_behind(context: Context, workspace_id: UUID, purchase_id: UUID) -> SeenPurchase | None:
    """A purchase of a workspace, for callers whose rights were checked."""
    return await context.reads.one_of(purchase_store.PURCHASES, (workspace_id, purchase_id))


async def purchase_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[SeenPurchase] | None:
    """A page of the workspace's purchases, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, lambda text: UUID(hex=text)) if after is not None else LAST_ID
    rows = await context.reads.rows(purchase_store.PAGE, access.workspace.id, size + 1, before)
    await check_soon(context, rows)
    return page_of(rows, size, after, lambda row: row.id.hex)


async def spend(
    context: Context, access: WorkspaceAccess
) -> tuple[tuple[datetime, datetime], Money, Money | None] | None:
    """The calendar month, what credits cost in it so far, and the plan's ceiling, for those who see the workspace's billing."""
    if not sees_billing(access):
        return None
    catalog, reads, workspace_id = context.runtime.catalog, context.reads, access.workspace.id
    month = spend_limits.month_of(reads.now)
    account, [spent], terms = await asyncio.gather(
        reads.one_of(billing_account_store.ACCOUNTS, workspace_id),
        reads.rows(purchase_store.SPENT, workspace_id, *month),
        terms_seen(reads, catalog, workspace_id),
    )
    return month, Money(spent, catalog.currency), spend_limits.spend_limit(catalog, terms.plan, account)
