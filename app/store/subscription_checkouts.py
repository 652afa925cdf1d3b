"""Hosted pages on which workspaces begin to subscribe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update

from app.db.engine import Session
from app.db.tables.subscriptions import CheckoutState, SubscriptionCheckoutRow

_UNFINISHED: Final = (CheckoutState.OPENING, CheckoutState.OPEN)


async def get(session: Session, workspace_id: UUID, checkout_id: UUID) -> SubscriptionCheckoutRow:
    """A page, which there is."""
    return await session.get_one(SubscriptionCheckoutRow, (workspace_id, checkout_id), populate_existing=True)


async def with_key(session: Session, workspace_id: UUID, idempotency_key: str) -> SubscriptionCheckoutRow | None:
    """The page that was opened with this idempotency key."""
    query = select(SubscriptionCheckoutRow).where(
        SubscriptionCheckoutRow.workspace_id == workspace_id,
        SubscriptionCheckoutRow.idempotency_key == idempotency_key,
    )
    return await session.scalar(query.execution_options(populate_existing=True))


async def of_session(session: Session, session_id: str) -> SubscriptionCheckoutRow | None:
    """The page that the provider knows by this id."""
    query = select(SubscriptionCheckoutRow).where(SubscriptionCheckoutRow.session_id == session_id)
    return await session.scalar(query)


async def unfinished(session: Session, workspace_id: UUID) -> Sequence[SubscriptionCheckoutRow]:
    """The pages of a workspace that may still be used, the oldest first."""
    query = select(SubscriptionCheckoutRow).where(
        SubscriptionCheckoutRow.workspace_id == workspace_id, SubscriptionCheckoutRow.state.in_(_UNFINISHED)
    )
    return (await session.scalars(query.order_by(SubscriptionCheckoutRow.id))).all()


async def unsettled(session: Session, workspace_id: UUID) -> Sequence[SubscriptionCheckoutRow]:
    """The pages of a workspace that were used and are not settled yet, the oldest first."""
    query = select(SubscriptionCheckoutRow).where(
        SubscriptionCheckoutRow.workspace_id == workspace_id,
        SubscriptionCheckoutRow.state == CheckoutState.COMPLETE,
    )
    return (await session.scalars(query.order_by(SubscriptionCheckoutRow.id))).all()


async def due(session: Session, *, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """The pages, as (workspace, id), that are to be looked at by now, the longest due first."""
    query = select(SubscriptionCheckoutRow.workspace_id, SubscriptionCheckoutRow.id)
    query = query.where(SubscriptionCheckoutRow.next_check_at <= session.now)
    found = await session.execute(query.order_by(SubscriptionCheckoutRow.next_check_at).limit(limit))
    return [(workspace_id, checkout_id) for workspace_id, checkout_id in found]


async def next_check_at(session: Session) -> datetime | None:
    """When the next page is to be looked at; None when there is none."""
    return await session.scalar(select(func.min(SubscriptionCheckoutRow.next_check_at)))


async def forget(session: Session, before: datetime) -> None:
    """Forget the pages that came to their end and were asked for before a time, with their idempotency keys."""
    old = delete(SubscriptionCheckoutRow).where(
        SubscriptionCheckoutRow.created_at < before, SubscriptionCheckoutRow.next_check_at.is_(None)
    )
    await session.execute(old.execution_options(synchronize_session=False))


async def check_soon(session: Session, session_id: str) -> None:
    """Have the worker look at once at the page that the provider knows by this id, if it may still be used."""
    due_now = update(SubscriptionCheckoutRow).where(
        SubscriptionCheckoutRow.session_id == session_id, SubscriptionCheckoutRow.state.in_(_UNFINISHED)
    )
    await session.execute(due_now.values(next_check_at=session.now).execution_options(synchronize_session=False))
