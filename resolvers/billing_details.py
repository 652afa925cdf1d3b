"""Billing details of workspaces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.accounts.access.workspace_access import WorkspaceAccess
from app.store import billing_details as billing_details_store
from app.store.billing_details import Details, ShownTaxId
from resolvers.billing_access import sees_billing
from resolvers.context import Context


async def billing_details(
    context: Context, access: WorkspaceAccess
) -> tuple[Details | None, Sequence[ShownTaxId]] | None:
    """Whom the workspace's invoices are made out to, and its tax ids; None for those who don't see its billing."""
    if not sees_billing(access):
        return None
    return await asyncio.gather(
        context.reads.one_of(billing_details_store.DETAILS, access.workspace.id),
        context.reads.all_of(billing_details_store.TAX_IDS_OF_WORKSPACES, access.workspace.id),
    )
