"""Purchases of credits. Whoever locks a purchase and the billing account locks the billing account first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, tuple_, update

from app.db.engine import Session
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow, PurchaseStatus


async def lock(session: Session, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow:
    """The purchase, locked until the unit ends."""
    found = select(CreditPurchaseRow).where(
        CreditPurchaseRow.workspace_id == workspace_id, CreditPurchaseRow.id == purchase_id
    )
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one()


async def lock_free(session: Session, keys: Sequence[tuple[UUID, UUID]]) -> Sequence[CreditPurchaseRow]:
    """The purchases with these (workspace, id), locked until the unit ends; those that somebody else has locked are left out."""
    found = select(CreditPurchaseRow).where(tuple_(CreditPurchaseRow.workspace_id, CreditPurchaseRow.id).in_(keys))
    found = found.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return (await session.scalars(found)).all()


async def find(session: Session, workspace_id: UUID, purchase_id: UUID) -> CreditPurchaseRow | None:
    """The purchase, if there is one."""
    return await session.get(CreditPurchaseRow, (workspace_id, purchase_id))


async def find_many(session: Session, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], CreditPurchaseRow]:
    """The purchases with these (workspace, id), by key; those that aren't there are left out."""
    found = select(CreditPurchaseRow).where(tuple_(CreditPurchaseRow.workspace_id, CreditPurchaseRow.id).in_(keys))
    return {(row.workspace_id, row.id): row for row in await session.scalars(found)}


async def with_key(session: Session, workspace_id: UUID, idempotency_key: str) -> CreditPurchaseRow | None:
    """The purchase that remembers this idempotency key."""
    found = select(CreditPurchaseRow).where(
        CreditPurchaseRow.workspace_id == workspace_id, CreditPurchaseRow.idempotency_key == idempotency_key
    )
    return (await session.scalars(found)).one_or_none()


async def of_invoice(session: Session, invoice_id: str) -> CreditPurchaseRow | None:
    """The purchase that made this invoice of the provider's."""
    found = select(CreditPurchaseRow).where(CreditPurchaseRow.invoice_id == invoice_id)
    return (await session.scalars(found)).one_or_none()


async def of_checkout(session: Session, checkout_id: str) -> CreditPurchaseRow | None:
    """The purchase that this hosted page was opened for."""
    found = select(CreditPurchaseRow).where(CreditPurchaseRow.checkout_session_id == checkout_id)
    return (await session.scalars(found)).one_or_none()


async def open_checkouts(session: Session, workspace_id: UUID) -> Sequence[CreditPurchaseRow]:
    """The workspace's purchases that wait for their hosted page."""
    found = select(CreditPurchaseRow).where(
        CreditPurchaseRow.workspace_id == workspace_id,
        CreditPurchaseRow.status == PurchaseStatus.PENDING,
        CreditPurchaseRow.checkout_session_id.is_not(None),
    )
    return (await session.scalars(found)).all()


async def unfinished(session: Session, workspace_id: UUID) -> Sequence[CreditPurchaseRow]:
    """The workspace's purchases that have neither succeeded nor ended."""
    found = select(CreditPurchaseRow).where(
        CreditPurchaseRow.workspace_id == workspace_id, CreditPurchaseRow.status.in_(UNFINISHED)
    )
    return (await session.scalars(found.order_by(CreditPurchaseRow.id))).all()


async def page(
    session: Session, workspace_id: UUID, *, limit: int, before: UUID | None = None
) -> Sequence[CreditPurchaseRow]:
    """Up to `limit` purchases, newest first, those before the one with id `before`: ids are ordered by time."""
    found = select(CreditPurchaseRow).where(CreditPurchaseRow.workspace_id == workspace_id)
    if before is not None:
        found = found.where(CreditPurchaseRow.id < before)
    return (await session.scalars(found.order_by(CreditPurchaseRow.id.desc()).limit(limit))).all()


async def charged_minor(session: Session, workspace_id: UUID, *, since: datetime, until: datetime) -> int:
    """What was charged from `since` until before `until`, or may yet be, tax included, in the currency's smallest unit.

    A payment that was sent counts until it is known to have failed; a purchase whose payment was not sent does not count.
    """
    amount = func.coalesce(CreditPurchaseRow.total_minor, CreditPurchaseRow.price_minor)
    charged = (CreditPurchaseRow.charged_at >= since) & (CreditPurchaseRow.charged_at < until)
    under_way = CreditPurchaseRow.status.in_(UNFINISHED) & CreditPurchaseRow.pay_sent_at.is_not(None)
    found = select(func.coalesce(func.sum(amount), 0)).where(
        CreditPurchaseRow.workspace_id == workspace_id, or_(charged, under_way)
    )
    return int((await session.execute(found)).scalar_one())


async def due(session: Session, *, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """The (workspace, id) of purchases that are to be checked by now, the longest due first."""
    found = (
        select(CreditPurchaseRow.workspace_id, CreditPurchaseRow.id)
        .where(CreditPurchaseRow.next_check_at <= session.now)
        .order_by(CreditPurchaseRow.next_check_at)
        .limit(limit)
    )
    return [(row.workspace_id, row.id) for row in await session.execute(found)]


async def next_check_at(session: Session) -> datetime | None:
    """When the next purchase is to be checked; None when there is none."""
    return await session.scalar(select(func.min(CreditPurchaseRow.next_check_at)))


async def forget_keys(session: Session, before: datetime) -> None:
    """Forget the idempotency keys of purchases made before a time."""
    old = CreditPurchaseRow.idempotency_key.is_not(None) & (CreditPurchaseRow.created_at < before)
    await session.execute(update(CreditPurchaseRow).where(old).values(idempotency_key=None))
