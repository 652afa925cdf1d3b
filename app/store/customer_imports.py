"""Imports of customers that had a history at the provider before they became a workspace's."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, union_all
from sqlalchemy.sql import literal

from app.db.engine import Session
from app.db.tables.billing_details import CustomerImportRow
from app.db.tables.payments import CardRow, InvoiceRow
from app.db.tables.purchases import CreditPurchaseRow
from app.db.tables.subscriptions import SubscriptionCheckoutRow, SubscriptionRow


async def lock(session: Session, workspace_id: UUID) -> CustomerImportRow | None:
    """The workspace's import, locked until the unit ends."""
    found = select(CustomerImportRow).where(CustomerImportRow.workspace_id == workspace_id)
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one_or_none()


async def find(session: Session, workspace_id: UUID) -> CustomerImportRow | None:
    """The workspace's import."""
    return await session.get(CustomerImportRow, workspace_id, populate_existing=True)


async def due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose import is to go on by now, the longest due first."""
    row = CustomerImportRow
    query = select(row.workspace_id).where(row.next_check_at <= session.real_now)
    return (await session.scalars(query.order_by(row.next_check_at).limit(limit))).all()


async def has_money_behind_it(session: Session, workspace_id: UUID) -> bool:
    """Whether the workspace has cards, invoices, purchases, or subscribes or is about to: its customer can't be exchanged then."""
    one = literal(1)
    found = union_all(
        select(one).where(CardRow.workspace_id == workspace_id),
        select(one).where(InvoiceRow.workspace_id == workspace_id),
        select(one).where(CreditPurchaseRow.workspace_id == workspace_id),
        select(one).where(SubscriptionRow.workspace_id == workspace_id, SubscriptionRow.provider_id.is_not(None)),
        select(one).where(
            SubscriptionCheckoutRow.workspace_id == workspace_id,
            SubscriptionCheckoutRow.state.in_(("OPENING", "OPEN", "COMPLETE")),
        ),
    )
    return (await session.execute(found.limit(1))).first() is not None
