"""Workspaces as the payment provider knows them, and their cards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.payments import BillingAccountRow, CardRow
from app.db.tables.people import EmailRow
from app.db.tables.workspaces import MembershipRow


async def lock(session: Session, workspace_id: UUID) -> BillingAccountRow:
    """The workspace's billing account, made if there is none, locked until the unit ends: whoever charges waits here."""
    await session.execute(
        insert(BillingAccountRow)
        .values(workspace_id=workspace_id, cards_version=0, created_at=session.now)
        .on_conflict_do_nothing(index_elements=["workspace_id"])
    )
    found = select(BillingAccountRow).where(BillingAccountRow.workspace_id == workspace_id)
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one()


async def find(session: Session, workspace_id: UUID) -> BillingAccountRow | None:
    """The workspace's billing account, if anything was ever about to be charged to it."""
    return await session.get(BillingAccountRow, workspace_id)


async def lock_free(session: Session, workspace_id: UUID) -> BillingAccountRow | None:
    """The workspace's billing account, locked until the unit ends; None where there is none, or somebody else has locked it."""
    found = select(BillingAccountRow).where(BillingAccountRow.workspace_id == workspace_id)
    found = found.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return (await session.scalars(found)).one_or_none()


async def of_card_page(session: Session, page_id: str) -> BillingAccountRow | None:
    """The billing account whose newest page to save a card on is this one."""
    return (await session.scalars(select(BillingAccountRow).where(BillingAccountRow.card_page_id == page_id))).first()


async def cards_due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose cards are to be checked by now, the longest due first."""
    due = select(BillingAccountRow.workspace_id).where(BillingAccountRow.cards_check_at <= session.now)
    return (await session.scalars(due.order_by(BillingAccountRow.cards_check_at).limit(limit))).all()


async def next_cards_check_at(session: Session) -> datetime | None:
    """When the next workspace's cards are to be checked; None when there is none."""
    return await session.scalar(select(func.min(BillingAccountRow.cards_check_at)))


async def of_customer(session: Session, customer_id: str) -> BillingAccountRow | None:
    """The billing account of a customer of the provider's."""
    found = select(BillingAccountRow).where(BillingAccountRow.customer_id == customer_id)
    return (await session.scalars(found)).one_or_none()


async def cards(session: Session, workspace_id: UUID) -> Sequence[CardRow]:
    """The workspace's cards: the default one first, then the oldest."""
    found = select(CardRow).where(CardRow.workspace_id == workspace_id)
    return (await session.scalars(found.order_by(CardRow.is_default.desc(), CardRow.created_at, CardRow.id))).all()


async def card(session: Session, workspace_id: UUID, card_id: UUID) -> CardRow | None:
    """One card of the workspace."""
    return await session.get(CardRow, (workspace_id, card_id))


async def card_with_provider_id(session: Session, provider_id: str) -> CardRow | None:
    """The mirrored card, whosever it is."""
    return (await session.scalars(select(CardRow).where(CardRow.provider_id == provider_id))).one_or_none()


async def contact_address(session: Session, workspace_id: UUID) -> str | None:
    """Where invoices are mailed: the primary address of the workspace's longest-standing owner."""
    found = (
        select(EmailRow.address)
        .join(MembershipRow, MembershipRow.user_id == EmailRow.user_id)
        .where(MembershipRow.workspace_id == workspace_id, MembershipRow.role == "OWNER", EmailRow.is_primary)
        .order_by(MembershipRow.joined_at, MembershipRow.user_id)
        .limit(1)
    )
    return (await session.scalars(found)).one_or_none()
