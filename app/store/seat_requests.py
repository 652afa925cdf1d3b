"""Acceptances of invitations that wait for a seat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update

from app.db.engine import Session
from app.db.tables.subscriptions import SeatRequestRow

_WAITS = SeatRequestRow.next_check_at.is_not(None)


async def add(session: Session, row: SeatRequestRow) -> None:
    """Let somebody wait for a seat, also where no seat could be bought for them before."""
    await remove(session, row.workspace_id, row.invitation_id)
    session.add(row)
    await session.flush()


async def find(session: Session, workspace_id: UUID, invitation_id: UUID) -> SeatRequestRow | None:
    """What became of the acceptance of an invitation, until its invitee has joined."""
    return await session.get(SeatRequestRow, (workspace_id, invitation_id), populate_existing=True)


async def with_key(session: Session, user_id: UUID, idempotency_key: str) -> SeatRequestRow | None:
    """The acceptance that a user sent with this idempotency key, and that had to wait for a seat."""
    query = select(SeatRequestRow).where(
        SeatRequestRow.user_id == user_id, SeatRequestRow.idempotency_key == idempotency_key
    )
    return (await session.scalars(query.execution_options(populate_existing=True))).first()


async def waiting(session: Session, workspace_id: UUID) -> Sequence[SeatRequestRow]:
    """Who waits for a seat in a workspace, in the order in which they accepted."""
    query = select(SeatRequestRow).where(SeatRequestRow.workspace_id == workspace_id, _WAITS)
    query = query.order_by(SeatRequestRow.created_at, SeatRequestRow.invitation_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def count_waiting(session: Session, workspace_id: UUID) -> int:
    """How many wait for a seat in a workspace."""
    query = select(func.count()).select_from(SeatRequestRow).where(SeatRequestRow.workspace_id == workspace_id, _WAITS)
    return await session.scalar(query) or 0


async def remove(session: Session, workspace_id: UUID, invitation_id: UUID) -> None:
    """Forget the acceptance: its invitee has joined."""
    is_theirs = (SeatRequestRow.workspace_id == workspace_id) & (SeatRequestRow.invitation_id == invitation_id)
    await session.execute(delete(SeatRequestRow).where(is_theirs).execution_options(synchronize_session="evaluate"))


async def give_up(session: Session, workspace_id: UUID, invitation_ids: Collection[UUID]) -> None:
    """Let these wait no more: no seat can be bought for them."""
    await _check(session, workspace_id, None, SeatRequestRow.invitation_id.in_(invitation_ids))


async def give_up_change(session: Session, workspace_id: UUID, change_id: UUID) -> None:
    """Let those wait no more whose seats a change was to buy."""
    await _check(session, workspace_id, None, SeatRequestRow.change_id == change_id)


async def look_again(session: Session, workspace_id: UUID, at: datetime) -> None:
    """Have the worker look at a time whether there are seats by then for those who wait in a workspace."""
    await _check(session, workspace_id, at, _WAITS)


async def due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces in which somebody waits and that are to be looked at by now, the longest due first."""
    query = select(SeatRequestRow.workspace_id).where(SeatRequestRow.next_check_at <= session.now)
    query = query.group_by(SeatRequestRow.workspace_id).order_by(func.min(SeatRequestRow.next_check_at))
    return (await session.scalars(query.limit(limit))).all()


async def next_check_at(session: Session) -> datetime | None:
    """When the next workspace in which somebody waits is to be looked at; None when nobody waits."""
    return await session.scalar(select(func.min(SeatRequestRow.next_check_at)))


async def _check(session: Session, workspace_id: UUID, at: datetime | None, condition: ColumnElement[bool]) -> None:
    checked = update(SeatRequestRow).where(SeatRequestRow.workspace_id == workspace_id, condition)
    await session.execute(checked.values(next_check_at=at).execution_options(synchronize_session=False))
