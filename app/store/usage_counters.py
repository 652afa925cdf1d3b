"""What was counted of workspaces in each period; whoever changes it has locked the workspace's `usage_states`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.usage import SubjectUsageRow, UsageCounterRow, UsageDayRow


class NewCounter(NamedTuple):
    """A counter of which nothing was counted yet in a period; see `UsageCounterRow`."""

    period_start: datetime
    period_end: datetime
    resource: str
    allowance: Decimal | None
    price: Decimal | None


async def since(session: Session, workspace_id: UUID, start: datetime) -> Sequence[UsageCounterRow]:
    """The counters of a workspace in the periods that began at a time or later, the earliest first."""
    query = select(UsageCounterRow).where(
        UsageCounterRow.workspace_id == workspace_id, UsageCounterRow.period_start >= start
    )
    query = query.order_by(UsageCounterRow.period_start, UsageCounterRow.resource)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def put(session: Session, workspace_id: UUID, counters: Sequence[NewCounter]) -> None:
    """Write counters down with their limits; those that are there already stay as they are."""
    if counters:
        nothing = {"used": 0, "overage": 0, "unpaid": 0, "owed": 0, "charged": 0}
        rows = [{"workspace_id": workspace_id, **each._asdict(), **nothing} for each in counters]
        await session.execute(insert(UsageCounterRow).values(rows).on_conflict_do_nothing())


_LATER: Final = (
    " WHERE workspace_id = CAST(:workspace_id AS uuid) AND period_start > CAST(:start AS timestamptz)"
    " AND period_start < CAST(:end AS timestamptz)"
)
# What was counted in a period that is a part of a longer one now. Of a gauge, whose day may be in both, the later level stands.
_MERGED: Final = (
    "INSERT INTO usage_counters AS c (workspace_id, period_start, resource, period_end, used, allowance, price, overage,"
    " unpaid, owed, charged)"
    " SELECT workspace_id, CAST(:start AS timestamptz), resource, CAST(:end AS timestamptz), used, allowance, price, overage,"
    f" unpaid, owed, charged FROM usage_counters{_LATER}"
    " ON CONFLICT (workspace_id, period_start, resource) DO UPDATE SET used = c.used + excluded.used,"
    " overage = c.overage + excluded.overage, unpaid = c.unpaid + excluded.unpaid, owed = c.owed + excluded.owed,"
    " charged = c.charged + excluded.charged",
    f"DELETE FROM usage_counters{_LATER}",
    "INSERT INTO usage_days AS d (workspace_id, period_start, resource, day, used)"
    f" SELECT workspace_id, CAST(:start AS timestamptz), resource, day, used FROM usage_days{_LATER}"
    " ON CONFLICT (workspace_id, period_start, resource, day) DO UPDATE SET"
    " used = CASE WHEN d.resource = ANY (CAST(:gauges AS text[])) THEN excluded.used ELSE d.used + excluded.used END",
    f"DELETE FROM usage_days{_LATER}",
    "INSERT INTO subject_usage AS s (workspace_id, period_start, resource, subject_id, used, charged)"
    f" SELECT workspace_id, CAST(:start AS timestamptz), resource, subject_id, used, charged FROM subject_usage{_LATER}"
    " ON CONFLICT (workspace_id, period_start, resource, subject_id) DO UPDATE SET used = s.used + excluded.used,"
    " charged = s.charged + excluded.charged",
    f"DELETE FROM subject_usage{_LATER}",
    f"UPDATE usage_dues SET period_start = CAST(:start AS timestamptz){_LATER}",
    "INSERT INTO usage_warnings (workspace_id, period_start, resource, level, created_at, told_at)"
    f" SELECT workspace_id, CAST(:start AS timestamptz), resource, level, created_at, told_at FROM usage_warnings{_LATER}"
    " ON CONFLICT DO NOTHING",
    f"DELETE FROM usage_warnings{_LATER}",
)


async def lengthen(
    session: Session, workspace_id: UUID, start: datetime, end: datetime, *, gauges: Collection[str]
) -> None:
    """Let the period that begins at `start` last until `end`; what was counted in one that began between the two is in it then."""
    row = UsageCounterRow
    longer = update(row).where(row.workspace_id == workspace_id, row.period_start == start).values(period_end=end)
    await session.execute(longer.execution_options(synchronize_session=False))
    values = {"workspace_id": workspace_id, "start": start, "end": end, "gauges": list(gauges)}
    for statement in _MERGED:
        await session.execute(text(statement), values)


async def days_of(session: Session, counter: UsageCounterRow) -> Sequence[UsageDayRow]:
    """What was used on each day of a counter's period."""
    query = select(UsageDayRow).where(
        UsageDayRow.workspace_id == counter.workspace_id,
        UsageDayRow.period_start == counter.period_start,
        UsageDayRow.resource == counter.resource,
    )
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def add_to_day(session: Session, counter: UsageCounterRow, day: date, quantity: Decimal) -> None:
    """Count use on a day of a counter's period."""
    key = {"workspace_id": counter.workspace_id, "period_start": counter.period_start, "resource": counter.resource}
    put_day = insert(UsageDayRow).values(**key, day=day, used=quantity)
    raised = {"used": UsageDayRow.used + put_day.excluded.used}
    await session.execute(put_day.on_conflict_do_update(constraint="usage_days_pkey", set_=raised))


async def add_to_subject(session: Session, counter: UsageCounterRow, subject_id: UUID, quantity: Decimal) -> Decimal:
    """Count use of a subject in a counter's period, or take it back; returns what it used then, which may be below zero."""
    key = {"workspace_id": counter.workspace_id, "period_start": counter.period_start, "resource": counter.resource}
    put_use = insert(SubjectUsageRow).values(**key, subject_id=subject_id, used=quantity, charged=0)
    raised = {"used": SubjectUsageRow.used + put_use.excluded.used}
    change = put_use.on_conflict_do_update(constraint="subject_usage_pkey", set_=raised)
    return (await session.execute(change.returning(SubjectUsageRow.used))).scalar_one()


async def used_by_subjects(session: Session, counter: UsageCounterRow) -> Decimal:
    """What subjects used in a counter's period, all together."""
    query = select(func.coalesce(func.sum(SubjectUsageRow.used), 0)).where(
        SubjectUsageRow.workspace_id == counter.workspace_id,
        SubjectUsageRow.period_start == counter.period_start,
        SubjectUsageRow.resource == counter.resource,
    )
    return (await session.execute(query)).scalar_one()
