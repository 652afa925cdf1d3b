"""Invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.db.tables.payments import InvoiceRow
from app.payments.gateway_values import InvoiceStatus
from app.store import invoices as invoice_store
from resolvers import global_ids
from resolvers.billing_access import sees_billing
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size


async def invoice_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None, status: InvoiceStatus | None
) -> Page[InvoiceRow] | None:
    """A page of the workspace's invoices, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, _invoice_place) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await invoice_store.page(
            session,
            access.workspace.id,
            limit=size + 1,
            before=before,
            status=status.value if status is not None else None,
        )
    return page_of(rows, size, after, lambda row: f"{row.issued_at.isoformat() if row.issued_at else ''}|{row.id.hex}")


def _invoice_place(text: str) -> tuple[datetime, UUID]:
    issued_at, _, invoice_id = text.partition("|")
    # of a time without an offset no moment can be told: astimezone would take it for the machine's own
    if datetime.fromisoformat(issued_at).tzinfo is None:
        raise ValueError(text)
    return datetime.fromisoformat(issued_at).astimezone(UTC), UUID(hex=invoice_id)


async def invoice(context: Context, invoice_id: str) -> InvoiceRow | None:
    """An invoice by its id, for those who see the workspace's billing."""
    owner, row_id = global_ids.owned_id(invoice_id, "Invoice")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, owner, permission=WorkspacePermission.VIEW_BILLING)
        return await invoice_store.find(session, owner, row_id)
