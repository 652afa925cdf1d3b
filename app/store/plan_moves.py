"""Moves of workspaces to another plan at once, and their refunds. Whoever changes one has locked the billing account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select

from app.db.engine import Session
from app.db.tables.plan_moves import MOVING, MoveKind, PlanMoveRow, PlanRefundRow
from app.db.tables.purchases import RefundState


async def find(session: Session, workspace_id: UUID, move_id: UUID) -> PlanMoveRow | None:
    """A move."""
    return await session.get(PlanMoveRow, (workspace_id, move_id), populate_existing=True)


async def under_way(session: Session, workspace_id: UUID) -> PlanMoveRow | None:
    """The move of a workspace that is under way, if any: nothing else of its plan may change."""
    query = select(PlanMoveRow).where(PlanMoveRow.workspace_id == workspace_id, PlanMoveRow.state.in_(MOVING))
    return await session.scalar(query.execution_options(populate_existing=True))


async def with_key(session: Session, workspace_id: UUID, idempotency_key: str) -> PlanMoveRow | None:
    """The move that was begun with this idempotency key."""
    query = select(PlanMoveRow).where(
        PlanMoveRow.workspace_id == workspace_id, PlanMoveRow.idempotency_key == idempotency_key
    )
    return await session.scalar(query.execution_options(populate_existing=True))


async def ends(session: Session, workspace_id: UUID, subscription_id: str) -> bool:
    """Whether a move ends, or has ended, this subscription of the provider's."""
    query = select(PlanMoveRow.id).where(
        PlanMoveRow.workspace_id == workspace_id, PlanMoveRow.subscription_id == subscription_id
    )
    return await session.scalar(query.limit(1)) is not None


async def last_transition_at(session: Session, workspace_id: UUID) -> datetime | None:
    """When a workspace left a legacy plan last; None where it never did."""
    query = select(func.max(PlanMoveRow.moved_at)).where(
        PlanMoveRow.workspace_id == workspace_id, PlanMoveRow.kind == MoveKind.TRANSITION
    )
    return await session.scalar(query)


async def due(session: Session, *, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """The moves, as (workspace, id), that are to be looked at by now, the longest due first."""
    query = (
        select(PlanMoveRow.workspace_id, PlanMoveRow.id)
        .where(PlanMoveRow.next_check_at <= session.now)
        .order_by(PlanMoveRow.next_check_at)
        .limit(limit)
    )
    return [(workspace_id, move_id) for workspace_id, move_id in await session.execute(query)]


async def next_check_at(session: Session) -> datetime | None:
    """When the next move is to be looked at; None when there is none."""
    return await session.scalar(select(func.min(PlanMoveRow.next_check_at)))


async def refunds(session: Session, workspace_id: UUID, move_id: UUID) -> Sequence[PlanRefundRow]:
    """The refunds of a move, in the order in which they were decided."""
    query = select(PlanRefundRow).where(PlanRefundRow.workspace_id == workspace_id, PlanRefundRow.move_id == move_id)
    return (await session.scalars(query.order_by(PlanRefundRow.id).execution_options(populate_existing=True))).all()


async def refund(session: Session, workspace_id: UUID, refund_id: UUID) -> PlanRefundRow | None:
    """A refund of a move."""
    return await session.get(PlanRefundRow, (workspace_id, refund_id), populate_existing=True)


async def forget_refunds(session: Session, workspace_id: UUID, move_id: UUID) -> None:
    """Forget the refunds of a move of which none was sent yet: they are decided anew."""
    decided = delete(PlanRefundRow).where(PlanRefundRow.workspace_id == workspace_id, PlanRefundRow.move_id == move_id)
    await session.execute(decided.execution_options(synchronize_session="fetch"))


async def failed_refunds(session: Session, workspace_id: UUID | None = None) -> Sequence[PlanRefundRow]:
    """The refunds, of one workspace or all, that have failed and were not asked for again, the oldest first."""
    query = select(PlanRefundRow).where(PlanRefundRow.status == RefundState.FAILED, ~PlanRefundRow.is_settled)
    if workspace_id is not None:
        query = query.where(PlanRefundRow.workspace_id == workspace_id)
    return (
        await session.scalars(query.order_by(PlanRefundRow.created_at).execution_options(populate_existing=True))
    ).all()
