"""Invoices of a workspace."""

from __future__ import annotations

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.db.tables.payments import InvoiceRow
from app.payments.gateway_values import InvoiceStatus
from app.store import invoices as invoice_store
from resolvers import global_ids
from resolvers.billing_access import sees_billing
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size, parse_time_and_id, time_and_id


async def invoice_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None, status: InvoiceStatus | None
) -> Page[InvoiceRow] | None:
    """A page of the workspace's invoices, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, parse_time_and_id) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await invoice_store.page(
            session,
            access.workspace.id,
            limit=size + 1,
            before=before,
            status=status.value if status is not None else None,
        )
    return page_of(rows, size, after, _cursor)


async def invoice(context: Context, invoice_id: str) -> InvoiceRow | None:
    """An invoice by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(invoice_id, "Invoice")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, permission=WorkspacePermission.VIEW_BILLING)
        return await invoice_store.find(session, workspace_id, row_id)


def _cursor(row: InvoiceRow) -> str:
    if row.issued_at is None:
        raise LookupError("a page of invoices holds one that was not issued")
    return time_and_id(row.issued_at, row.id)
