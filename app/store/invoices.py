"""The mirror of the provider's invoices."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, select

from app.db.engine import Session
from app.db.reads import KeyedRead, Read
from app.db.tables.payments import InvoicePaymentRow, InvoiceRow


class MirroredInvoice(NamedTuple):
    """An invoice as it is shown; amounts in the smallest unit of `currency`, lines and taxes as they came from JSON."""

    workspace_id: UUID
    id: UUID
    purchase_id: UUID | None
    number: str | None
    status: str
    currency: str
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    amount_refunded_minor: int
    credit_applied_minor: int
    lines: list[dict[str, Any]]
    tax_lines: list[dict[str, Any]]
    hosted_url: str | None
    pdf_url: str | None
    changed_at: datetime
    version: int
    listed_at: datetime


_INVOICE: Final = ", ".join(f"i.{name}" for name in MirroredInvoice._fields)
_IS_LISTED: Final = "i.workspace_id = $1::uuid AND i.listed_at IS NOT NULL"

INVOICES: Final = KeyedRead[tuple[UUID, UUID], MirroredInvoice](
    "invoices",
    f"SELECT {_INVOICE} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN invoices i ON i.workspace_id = k.workspace_id AND i.id = k.id AND i.listed_at IS NOT NULL",
    MirroredInvoice,
    lambda invoice: (invoice.workspace_id, invoice.id),
)
"""Invoices by (workspace, id), of those that are shown: see `InvoiceRow.listed_at`."""

OF_PURCHASES: Final = KeyedRead[tuple[UUID, UUID], MirroredInvoice](
    "invoices_of_purchases",
    f"SELECT {_INVOICE} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, purchase_id)"
    " JOIN invoices i ON i.workspace_id = k.workspace_id AND i.purchase_id = k.purchase_id AND i.listed_at IS NOT NULL",
    MirroredInvoice,
    lambda invoice: (invoice.workspace_id, invoice.purchase_id or invoice.id),
)
"""The invoices behind purchases that are shown, by (workspace, purchase)."""

WITH_PROVIDER_ID: Final = Read(
    "invoice_with_provider_id",
    f"SELECT {_INVOICE} FROM invoices i WHERE i.provider_id = $2::text AND {_IS_LISTED}",
    MirroredInvoice,
)
"""The invoice of a workspace, if it is shown, that the provider calls by an id."""

NEWEST: Final = Read(
    "invoice_page",
    f"SELECT {_INVOICE} FROM invoices i WHERE {_IS_LISTED} ORDER BY i.listed_at DESC, i.id DESC LIMIT $2::bigint",
    MirroredInvoice,
)
"""The invoices of a workspace, at most so many, the newest first."""

NEWEST_BEFORE: Final = Read(
    "invoice_page_before",
    f"SELECT {_INVOICE} FROM invoices i WHERE {_IS_LISTED} AND (i.listed_at, i.id) < ($3::timestamptz, $4::uuid)"
    " ORDER BY i.listed_at DESC, i.id DESC LIMIT $2::bigint",
    MirroredInvoice,
)
"""As `NEWEST`, those before a (time, id)."""

NEWEST_WITH_STATUS: Final = Read(
    "invoice_page_with_status",
    f"SELECT {_INVOICE} FROM invoices i WHERE {_IS_LISTED} AND i.status = $3::text"
    " AND ($4::timestamptz IS NULL OR (i.listed_at, i.id) < ($4::timestamptz, $5::uuid))"
    " ORDER BY i.listed_at DESC, i.id DESC LIMIT $2::bigint",
    MirroredInvoice,
)
"""As `NEWEST`, those in a state, before a (time, id) if one is given."""

CHANGED_LAST: Final = Read(
    "invoices_changed_last",
    f"SELECT {_INVOICE} FROM invoices i WHERE {_IS_LISTED} ORDER BY i.changed_at DESC LIMIT $2::bigint",
    MirroredInvoice,
)
"""The invoices of a workspace that changed last, at most so many."""


async def lock_with_provider_id(session: Session, provider_id: str) -> InvoiceRow | None:
    """The mirrored invoice, locked until the unit ends."""
    found = select(InvoiceRow).where(InvoiceRow.provider_id == provider_id)
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one_or_none()


async def with_provider_id(session: Session, provider_id: str) -> InvoiceRow | None:
    """The mirrored invoice that the provider calls by this id."""
    return (await session.scalars(select(InvoiceRow).where(InvoiceRow.provider_id == provider_id))).one_or_none()


async def find(session: Session, workspace_id: UUID, invoice_id: UUID) -> InvoiceRow | None:
    """One invoice of the workspace."""
    return await session.get(InvoiceRow, (workspace_id, invoice_id))


async def payment_with_key(session: Session, workspace_id: UUID, idempotency_key: str) -> InvoicePaymentRow | None:
    """The try to pay an invoice that remembers this idempotency key."""
    return await session.get(InvoicePaymentRow, (workspace_id, idempotency_key))


async def forget_payments(session: Session, before: datetime) -> None:
    """Forget the tries to pay an invoice that were made before a time, and their idempotency keys."""
    await session.execute(delete(InvoicePaymentRow).where(InvoicePaymentRow.created_at < before))
