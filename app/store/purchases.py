"""Purchases of credits. Whoever locks a purchase and the billing account locks the billing account first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_, update

from app.db.engine import Session
from app.db.reads import KeyedRead, Read
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow, PurchaseStatus


class SeenPurchase(NamedTuple):
    """A purchase as it is shown; see `CreditPurchaseRow`."""

    workspace_id: UUID
    id: UUID
    status: str
    credits: int
    price_minor: int
    total_minor: int | None
    currency: str
    is_auto_recharge: bool
    checkout_url: str | None
    failure: str | None
    created_at: datetime
    version: int
    checkout_session_id: str | None
    pay_sent_at: datetime | None
    check_asked_at: datetime | None
    next_check_at: datetime | None


_PURCHASE: Final = ", ".join(f"p.{name}" for name in SeenPurchase._fields[:-1]) + ", p.next_look_at AS next_check_at"
_UNFINISHED: Final = ", ".join(f"'{status.value}'" for status in UNFINISHED)

PURCHASES: Final = KeyedRead[tuple[UUID, UUID], SeenPurchase](
    "purchases",
    f"SELECT {_PURCHASE} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN credit_purchases p ON p.workspace_id = k.workspace_id AND p.id = k.id",
    SeenPurchase,
    lambda purchase: (purchase.workspace_id, purchase.id),
)
"""Purchases by (workspace, id)."""

PAGE: Final = Read(
    "purchase_page",
    f"SELECT {_PURCHASE} FROM credit_purchases p WHERE p.workspace_id = $1::uuid AND p.id < $3::uuid"
    " ORDER BY p.id DESC LIMIT $2::bigint",
    SeenPurchase,
)
"""The purchases of a workspace before an id, at most so many, the newest first: ids are ordered by time."""

SPENT: Final = Read(
    "spent",
    "SELECT coalesce(sum(coalesce(s.total_minor, s.price_minor)), 0)::bigint FROM ("
    "SELECT p.id, p.total_minor, p.price_minor FROM credit_purchases p WHERE p.workspace_id = $1::uuid"
    " AND p.charged_at >= $2::timestamptz AND p.charged_at < $3::timestamptz"
    " UNION SELECT p.id, p.total_minor, p.price_minor FROM credit_purchases p WHERE p.workspace_id = $1::uuid"
    f" AND p.status IN ({_UNFINISHED}) AND p.pay_sent_at IS NOT NULL) s",
    int,
)
"""What was charged to a workspace from a time until before another, or may yet be, tax included, in the currency's smallest unit.

A payment that was sent counts until it is known to have failed; a purchase whose payment was not sent does not count.
"""


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
