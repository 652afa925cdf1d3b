"""Subjects: who or what uses something in a workspace. Their names are in this table alone; everything else has their ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead, all_in
from app.db.tables.usage import (
    SubjectUsageRow,
    UsageDayRow,
    UsageDueRow,
    UsageGaugeRow,
    UsageLevelRow,
    UsageSubjectRow,
)


class Subject(NamedTuple):
    """A subject as its row says; `name` is the host product's own id."""

    workspace_id: UUID
    id: UUID
    name: str


_SUBJECT: Final = ", ".join(f"s.{name}" for name in Subject._fields)

SUBJECTS: Final = KeyedRead[tuple[UUID, UUID], Subject](
    "usage_subjects",
    f"SELECT {_SUBJECT} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN usage_subjects s ON s.workspace_id = k.workspace_id AND s.id = k.id",
    Subject,
    lambda subject: (subject.workspace_id, subject.id),
)
"""Subjects by (workspace, id), those that were erased left out."""

NAMED: Final = KeyedRead[tuple[UUID, str], Subject](
    "usage_subjects_by_name",
    f"SELECT {_SUBJECT} FROM unnest($1::uuid[], $2::text[]) k (workspace_id, name)"
    " JOIN usage_subjects s ON s.workspace_id = k.workspace_id AND s.name = k.name",
    Subject,
    lambda subject: (subject.workspace_id, subject.name),
)
"""Subjects by (workspace, name)."""

# The workspace is locked as the foreign key would lock it, so that one deleted meanwhile is left out instead of an error. A name
# that another unit adds at the same time is waited for; writing it again is what makes its row come back.
_ADD = text("""
    INSERT INTO usage_subjects AS s (workspace_id, id, name)
    SELECT k.workspace_id, k.id, k.name
    FROM unnest(CAST(:workspaces AS uuid[]), CAST(:ids AS uuid[]), CAST(:names AS text[])) AS k (workspace_id, id, name)
    JOIN workspaces w ON w.id = k.workspace_id
    ORDER BY k.workspace_id, k.name COLLATE "C"
    FOR KEY SHARE OF w
    ON CONFLICT (workspace_id, name) DO UPDATE SET name = excluded.name
    RETURNING s.workspace_id, s.id, s.name
""")


# of PostgreSQL's advisory locks, which nothing else here takes
_IN_USE: Final = 0x5B1EC7


async def keep_in_use(session: Session) -> None:
    """Let no subject be erased before this unit ends, so that ids that it looks up are still those of their names when it writes.

    Comes before any lock of usage, which an erasure takes after `keep_from_use`.
    """
    await session.execute(text(f"SELECT pg_advisory_xact_lock_shared({_IN_USE})"))


async def keep_from_use(session: Session) -> None:
    """Wait for the units that look up subjects, and let no other look them up before this one ends."""
    await session.execute(text(f"SELECT pg_advisory_xact_lock({_IN_USE})"))


async def named(session: Session, names: Sequence[tuple[UUID, str]]) -> Sequence[Subject]:
    """The subjects with these names, each as (workspace, name), that there are."""
    return await all_in(session, NAMED, names)


async def add(session: Session, subjects: Sequence[Subject]) -> list[Subject]:
    """Add subjects with new ids, or find those that were added meanwhile with theirs; of a workspace that is gone none.

    They are written in the order of workspace and name, so that units which add the same wait for one another in one order.
    """
    values = {
        "workspaces": [each.workspace_id for each in subjects],
        "ids": [each.id for each in subjects],
        "names": [each.name for each in subjects],
    }
    return [Subject(*row) for row in await session.execute(_ADD, values)]


async def remove(session: Session, workspace_id: UUID, name: str) -> UUID | None:
    """Remove a subject; returns the id that it had, None where there is none of the name."""
    theirs = (UsageSubjectRow.workspace_id == workspace_id) & (UsageSubjectRow.name == name)
    removed = delete(UsageSubjectRow).where(theirs).returning(UsageSubjectRow.id)
    return await session.scalar(removed.execution_options(synchronize_session=False))


async def remove_counted(session: Session, workspace_id: UUID, subject_id: UUID) -> int:
    """Remove what a subject used of counters; returns of how many, each period of a counter taken for one."""
    theirs = (SubjectUsageRow.workspace_id == workspace_id) & (SubjectUsageRow.subject_id == subject_id)
    removed = delete(SubjectUsageRow).where(theirs).returning(SubjectUsageRow.resource)
    return len((await session.scalars(removed.execution_options(synchronize_session=False))).all())


async def remove_levels(session: Session, workspace_id: UUID, subject_id: UUID) -> dict[str, Decimal]:
    """Remove a subject's levels and lower the gauges by them, none below zero; returns the levels of those gauges now."""
    theirs = (UsageLevelRow.workspace_id == workspace_id) & (UsageLevelRow.subject_id == subject_id)
    removed = delete(UsageLevelRow).where(theirs).returning(UsageLevelRow.resource, UsageLevelRow.level).cte("removed")
    lowered = (
        update(UsageGaugeRow)
        .where(UsageGaugeRow.workspace_id == workspace_id, UsageGaugeRow.resource == removed.c.resource)
        .values(level=func.greatest(0, UsageGaugeRow.level - removed.c.level))
        .returning(UsageGaugeRow.resource, UsageGaugeRow.level)
    )
    rows = await session.execute(lowered.execution_options(synchronize_session=False))
    return {row.resource: row.level for row in rows}


async def set_levels_of_day(
    session: Session, workspace_id: UUID, period_start: datetime, day: date, levels: dict[str, Decimal]
) -> None:
    """Note the levels of gauges as the last ones of a day."""
    values = [
        {"workspace_id": workspace_id, "period_start": period_start, "resource": resource, "day": day, "used": level}
        for resource, level in sorted(levels.items())
    ]
    added = insert(UsageDayRow).values(values)
    key = ["workspace_id", "period_start", "resource", "day"]
    await session.execute(added.on_conflict_do_update(index_elements=key, set_={"used": added.excluded.used}))


async def unname_dues(session: Session, workspace_id: UUID, subject_id: UUID) -> int:
    """Let what a subject used and is yet to be paid be of nobody; returns how many rows that were."""
    theirs = (UsageDueRow.workspace_id == workspace_id) & (UsageDueRow.subject_id == subject_id)
    unnamed = update(UsageDueRow).where(theirs).values(subject_id=None).returning(UsageDueRow.id)
    return len((await session.scalars(unnamed.execution_options(synchronize_session=False))).all())
