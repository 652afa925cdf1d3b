"""The mirror of the provider's invoices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, tuple_

from app.db.engine import Session
from app.db.tables.payments import InvoicePaymentRow, InvoiceRow


async def lock_with_provider_id(session: Session, provider_id: str) -> InvoiceRow | None:
    """The mirrored invoice, locked until the unit ends."""
    found = select(InvoiceRow).where(InvoiceRow.provider_id == provider_id)
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one_or_none()


async def find(session: Session, workspace_id: UUID, invoice_id: UUID) -> InvoiceRow | None:
    """One invoice of the workspace."""
    return await session.get(InvoiceRow, (workspace_id, invoice_id))


async def of_purchases(session: Session, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], InvoiceRow]:
    """The invoices behind purchases, by the purchase's (workspace, id)."""
    found = select(InvoiceRow).where(tuple_(InvoiceRow.workspace_id, InvoiceRow.purchase_id).in_(keys))
    return {
        (row.workspace_id, row.purchase_id): row for row in await session.scalars(found) if row.purchase_id is not None
    }


async def page(
    session: Session,
    workspace_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    status: str | None = None,
) -> Sequence[InvoiceRow]:
    """Up to `limit` issued invoices, newest first, those before the one issued at `before` with that id. Drafts are not issued."""
    found = select(InvoiceRow).where(InvoiceRow.workspace_id == workspace_id, InvoiceRow.issued_at.is_not(None))
    if status is not None:
        found = found.where(InvoiceRow.status == status)
    if before is not None:
        found = found.where(tuple_(InvoiceRow.issued_at, InvoiceRow.id) < before)
    return (await session.scalars(found.order_by(InvoiceRow.issued_at.desc(), InvoiceRow.id.desc()).limit(limit))).all()


async def payment_with_key(session: Session, workspace_id: UUID, idempotency_key: str) -> InvoicePaymentRow | None:
    """The try to pay an invoice that remembers this idempotency key."""
    return await session.get(InvoicePaymentRow, (workspace_id, idempotency_key))


async def changed(
    session: Session, workspace_id: UUID, invoice_ids: Collection[UUID] | None, *, limit: int
) -> Sequence[InvoiceRow]:
    """The issued invoices with these ids, or for None the `limit` that changed last; the longest unchanged first."""
    found = select(InvoiceRow).where(InvoiceRow.workspace_id == workspace_id, InvoiceRow.issued_at.is_not(None))
    if invoice_ids is not None:
        found = found.where(InvoiceRow.id.in_(invoice_ids))
    else:
        found = found.order_by(InvoiceRow.changed_at.desc()).limit(limit)
    return sorted(await session.scalars(found), key=lambda row: row.changed_at)


async def forget_payments(session: Session, before: datetime) -> None:
    """Forget the tries to pay an invoice that were made before a time, and their idempotency keys."""
    await session.execute(delete(InvoicePaymentRow).where(InvoicePaymentRow.created_at < before))
