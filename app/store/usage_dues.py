"""What was used past an allowance and is yet to be paid with credits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_, update

from app.db.engine import Session
from app.db.tables.usage import SubjectUsageRow, UsageCounterRow, UsageDueRow


async def waiting(session: Session, workspace_id: UUID, *, limit: int) -> Sequence[UsageDueRow]:
    """What a workspace has to pay, the oldest first; its usage is locked."""
    query = select(UsageDueRow).where(UsageDueRow.workspace_id == workspace_id)
    return (await session.scalars(query.order_by(UsageDueRow.id).limit(limit))).all()


async def counters_of(
    session: Session, workspace_id: UUID, keys: Collection[tuple[datetime, str]]
) -> dict[tuple[datetime, str], UsageCounterRow]:
    """Counters of a workspace, by (start of the period, resource); its usage is locked."""
    key = tuple_(UsageCounterRow.period_start, UsageCounterRow.resource)
    query = select(UsageCounterRow).where(UsageCounterRow.workspace_id == workspace_id, key.in_(keys))
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {(row.period_start, row.resource): row for row in rows}


async def charge_subject(
    session: Session, workspace_id: UUID, period_start: datetime, resource: str, subject_id: UUID, steps: int
) -> None:
    """Note that credits paid for what a subject used; one that was erased meanwhile is left out."""
    charged = update(SubjectUsageRow).where(
        SubjectUsageRow.workspace_id == workspace_id,
        SubjectUsageRow.period_start == period_start,
        SubjectUsageRow.resource == resource,
        SubjectUsageRow.subject_id == subject_id,
    )
    await session.execute(
        charged.values(charged=SubjectUsageRow.charged + steps).execution_options(synchronize_session=False)
    )


async def remove(session: Session, workspace_id: UUID, due_ids: Collection[int]) -> None:
    """Forget what was paid, or will not be."""
    paid = delete(UsageDueRow).where(UsageDueRow.workspace_id == workspace_id, UsageDueRow.id.in_(due_ids))
    await session.execute(paid.execution_options(synchronize_session=False))


async def owing(session: Session, *, before: datetime, limit: int) -> Sequence[UUID]:
    """The workspaces that have had something to pay since before a time, the longest first."""
    query = select(UsageDueRow.workspace_id).where(UsageDueRow.created_at <= before)
    oldest = func.min(UsageDueRow.created_at)
    return (await session.scalars(query.group_by(UsageDueRow.workspace_id).order_by(oldest).limit(limit))).all()


async def oldest_at(session: Session) -> datetime | None:
    """Since when something has been waiting to be paid; None when nothing is."""
    return await session.scalar(select(func.min(UsageDueRow.created_at)))
