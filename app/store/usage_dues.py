"""What was used past an allowance and is yet to be paid with credits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, text, tuple_

from app.db.engine import Session
from app.db.tables.usage import UsageCounterRow, UsageDueRow

_CHARGE_SUBJECTS = text("""
    UPDATE subject_usage u SET charged = u.charged + c.steps
    FROM unnest(
        CAST(:workspaces AS uuid[]), CAST(:starts AS timestamptz[]), CAST(:resources AS text[]), CAST(:subjects AS uuid[]),
        CAST(:steps AS bigint[])
    ) c (workspace_id, period_start, resource, subject_id, steps)
    WHERE u.workspace_id = c.workspace_id AND u.period_start = c.period_start AND u.resource = c.resource
        AND u.subject_id = c.subject_id
""")


class CounterKey(NamedTuple):
    """What a counter is found by."""

    workspace_id: UUID
    period_start: datetime
    resource: str


def add(session: Session, counter: UsageCounterRow, *, units: Decimal, value: Decimal, subject_id: UUID | None) -> None:
    """Have so many units past a counter's allowance paid for, which cost `value` steps."""
    session.add(
        UsageDueRow(
            workspace_id=counter.workspace_id,
            period_start=counter.period_start,
            resource=counter.resource,
            subject_id=subject_id,
            units=units,
            value=value,
            created_at=session.now,
        )
    )


async def waiting(session: Session, workspace_ids: Collection[UUID], *, limit: int) -> Sequence[UsageDueRow]:
    """What workspaces have to pay, the oldest first; their usage is locked."""
    query = select(UsageDueRow).where(UsageDueRow.workspace_id.in_(workspace_ids))
    return (await session.scalars(query.order_by(UsageDueRow.id).limit(limit))).all()


async def counters_of(session: Session, keys: Collection[CounterKey]) -> dict[CounterKey, UsageCounterRow]:
    """Counters by their keys; the workspaces' usage is locked."""
    key = tuple_(UsageCounterRow.workspace_id, UsageCounterRow.period_start, UsageCounterRow.resource)
    query = select(UsageCounterRow).where(key.in_(keys))
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {CounterKey(row.workspace_id, row.period_start, row.resource): row for row in rows}


async def charge_subjects(session: Session, charged: Mapping[tuple[CounterKey, UUID], int]) -> None:
    """Note how many steps paid for what subjects used; those that were erased meanwhile are left out."""
    if not charged:
        return
    keys, subject_ids = zip(*charged, strict=True)
    columns = *zip(*keys, strict=True), subject_ids, tuple(charged.values())
    names = "workspaces", "starts", "resources", "subjects", "steps"
    await session.execute(_CHARGE_SUBJECTS, {name: list(column) for name, column in zip(names, columns, strict=True)})


async def remove(session: Session, dues: Collection[UsageDueRow]) -> None:
    """Forget what was paid, or will not be."""
    key = tuple_(UsageDueRow.workspace_id, UsageDueRow.id)
    paid = delete(UsageDueRow).where(key.in_([(due.workspace_id, due.id) for due in dues]))
    await session.execute(paid.execution_options(synchronize_session=False))


async def owing(session: Session, *, before: datetime, limit: int) -> Sequence[UUID]:
    """The workspaces that have had something to pay since before a time, the longest first."""
    query = select(UsageDueRow.workspace_id).where(UsageDueRow.created_at <= before)
    oldest = func.min(UsageDueRow.created_at)
    return (await session.scalars(query.group_by(UsageDueRow.workspace_id).order_by(oldest).limit(limit))).all()


async def oldest_at(session: Session) -> datetime | None:
    """Since when something has been waiting to be paid; None when nothing is."""
    return await session.scalar(select(func.min(UsageDueRow.created_at)))
