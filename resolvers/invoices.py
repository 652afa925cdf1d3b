"""Invoices of a workspace, and its next bill."""

from __future__ import annotations

import asyncio
from uuid import UUID

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.subscriptions.upcoming import UpcomingInvoice, is_to_be_asked, kept_invoice
from app.errors import Unavailable
from app.flows.subscriptions import upcoming
from app.payments.gateway_values import InvoiceStatus
from app.store import invoices as invoice_store
from app.store import subscriptions as subscription_store
from app.store.invoices import MirroredInvoice
from resolvers import global_ids
from resolvers.billing_access import require_billing_view, sees_billing
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size, parse_time_and_id, time_and_id


async def invoice_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None, status: InvoiceStatus | None
) -> Page[MirroredInvoice] | None:
    """A page of the workspace's invoices, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, parse_time_and_id) if after is not None else (None, None)
    asked = access.workspace.id, size + 1
    if status is not None:
        rows = await context.reads.rows(invoice_store.NEWEST_WITH_STATUS, *asked, status.value, *before)
    elif after is not None:
        rows = await context.reads.rows(invoice_store.NEWEST_BEFORE, *asked, *before)
    else:
        rows = await context.reads.rows(invoice_store.NEWEST, *asked)
    return page_of(rows, size, after, _cursor)


async def invoice(context: Context, invoice_id: str) -> MirroredInvoice | None:
    """An invoice by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(invoice_id, "Invoice")
    await require_billing_view(context, workspace_id)
    return await context.reads.one_of(invoice_store.INVOICES, (workspace_id, row_id))


async def invoice_of_purchase(context: Context, workspace_id: UUID, purchase_id: UUID) -> MirroredInvoice | None:
    """The invoice behind a purchase, once it is issued, for callers whose rights were checked."""
    return await context.reads.one_of(invoice_store.OF_PURCHASES, (workspace_id, purchase_id))


async def upcoming_invoice(context: Context, access: WorkspaceAccess) -> UpcomingInvoice | None:
    """The next bill, for those who see the workspace's billing; None where nothing will be billed.

    The provider is asked where what it told is of another version of the subscription, or a minute old. Raises `Unavailable` where
    it does not answer and never did.
    """
    if not sees_billing(access):
        return None
    workspace_id, reads = access.workspace.id, context.reads
    subscribed, kept = await asyncio.gather(
        reads.one_of(subscription_store.SUBSCRIBED, workspace_id),
        reads.one_of(subscription_store.UPCOMING_INVOICES, workspace_id),
    )
    if subscribed is None or subscribed.provider_id is None or subscribed.version is None:
        return None
    if is_to_be_asked(kept, subscribed.version, reads.now) or kept is None:
        return await upcoming.upcoming_invoice(context.runtime.flow_context, workspace_id, subscribed.version)
    if kept.version != subscribed.version and kept.is_claimed(reads.real_now):
        return await upcoming.upcoming_invoice(context.runtime.flow_context, workspace_id, subscribed.version)
    if kept.version is None:
        raise Unavailable
    return kept_invoice(kept)


def _cursor(row: MirroredInvoice) -> str:
    return time_and_id(row.listed_at, row.id)
