"""Refunds that were requested here, and the checks of the money returned of an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from app.db.engine import Session
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import RefundRow, RefundState


class InvoiceToCheck(NamedTuple):
    """A mirrored invoice whose returned money is to be checked; `checks` is how many checks of it were stored before."""

    workspace_id: UUID
    purchase_id: UUID | None
    checks: int


async def invoice_to_check(session: Session, provider_invoice_id: str) -> InvoiceToCheck | None:
    """The invoice with the provider's id, as committed last: it waits for no lock."""
    found = select(InvoiceRow.workspace_id, InvoiceRow.purchase_id, InvoiceRow.money_checks).where(
        InvoiceRow.provider_id == provider_invoice_id
    )
    row = (await session.execute(found)).one_or_none()
    return InvoiceToCheck(*row) if row is not None else None


async def find(session: Session, workspace_id: UUID, refund_id: UUID) -> RefundRow | None:
    """The refund, if there is one."""
    return await session.get(RefundRow, (workspace_id, refund_id))


async def requested(session: Session, workspace_id: UUID, purchase_id: UUID) -> RefundRow | None:
    """The purchase's refund that was stored and is not known to have reached the provider."""
    found = select(RefundRow).where(
        RefundRow.workspace_id == workspace_id,
        RefundRow.purchase_id == purchase_id,
        RefundRow.status == RefundState.REQUESTED,
    )
    return (await session.scalars(found)).one_or_none()


async def was_returned(session: Session, workspace_id: UUID, purchase_id: UUID) -> bool:
    """Whether a refund of the purchase reached the provider and failed there: the bank could not credit the card."""
    found = select(RefundRow.id).where(
        RefundRow.workspace_id == workspace_id,
        RefundRow.purchase_id == purchase_id,
        RefundRow.status == RefundState.FAILED,
        RefundRow.provider_id.is_not(None),
    )
    return (await session.scalars(found.limit(1))).one_or_none() is not None


async def lock_unfailed(session: Session, workspace_id: UUID, purchase_id: UUID) -> Sequence[RefundRow]:
    """The purchase's refunds that have not failed, locked until the unit ends.

    Those that succeeded are among them, since the bank may return a refund later.
    """
    found = select(RefundRow).where(
        RefundRow.workspace_id == workspace_id,
        RefundRow.purchase_id == purchase_id,
        RefundRow.status != RefundState.FAILED,
    )
    found = found.order_by(RefundRow.id).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(found)).all()


async def due(session: Session, *, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """The (workspace, id) of refunds that may not have been sent, the longest due first."""
    found = (
        select(RefundRow.workspace_id, RefundRow.id)
        .where(RefundRow.next_check_at <= session.now)
        .order_by(RefundRow.next_check_at)
        .limit(limit)
    )
    return [(row.workspace_id, row.id) for row in await session.execute(found)]


async def next_check_at(session: Session) -> datetime | None:
    """When the next refund is to be checked; None when there is none."""
    return await session.scalar(select(func.min(RefundRow.next_check_at)))
