"""Erasing a subject leaves its name nowhere, and what was counted and spent as it was."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from app.db.engine import Database, Session
from app.db.tables.access import AuditEventRow
from app.db.tables.ledger import LedgerTransactionRow
from app.db.tables.usage import (
    SubjectUsageRow,
    UsageDueRow,
    UsageLevelRow,
    UsageStateRow,
    UsageSubjectRow,
)
from app.db.unit_of_work import transact
from app.ledger.movements import Spend
from app.ledger.post_movements import post_one
from app.metering.subject_erasure import ErasedSubject, erase_subject
from app.metering.subjects import subject_ids
from tests.ledger.workspace import proof
from tests.metering.workspace import START, Metered
from tests.support.leftovers import rows_naming


@pytest.fixture
def name() -> str:
    """A subject that no other test knows."""
    return f"agent-{uuid4().hex[:12]}"


async def _erase(metered: Metered, name: str) -> ErasedSubject | None:
    return await transact(metered.database, lambda session: erase_subject(session, metered.id, name))


async def _id(metered: Metered, name: str) -> UUID:
    names = [(metered.id, name)]
    return (await transact(metered.database, lambda session: subject_ids(session, names)))[metered.id, name]


async def _spend(metered: Metered, subject_id: UUID, amount: int = 1) -> None:
    spend = Spend(workspace_id=metered.id, amount=amount, description="A job", subject_id=subject_id)
    await transact(metered.database, lambda session: post_one(session, spend))


async def _version(metered: Metered) -> int:
    async with metered.database.read() as session:
        return (await session.get_one(UsageStateRow, metered.id)).version


async def test_an_erased_name_is_nowhere_and_what_was_counted_and_spent_stays(metered: Metered, name: str) -> None:
    await metered.grant(10)
    await metered.use(7, subject=name)
    await metered.use(2, subject="other")
    await metered.use(50, "storage", subject=name)
    await _spend(metered, subject_id := await _id(metered, name))
    assert await rows_naming(metered.database, [name]) != []

    assert await _erase(metered, name) == ErasedSubject(counted=1, gauges=("storage",), dues=0)

    assert await rows_naming(metered.database, [name]) == []
    assert (await metered.counter()).used == 9
    assert await metered.by_subject() == {"other": (2, 0)}
    [spent] = await metered.spends()
    assert (spent.amount, spent.subject_id) == (-1, subject_id)
    async with metered.database.read() as session:
        assert (await session.scalars(select(SubjectUsageRow.subject_id))).all().count(subject_id) == 0


async def test_a_gauge_falls_by_the_level_of_an_erased_subject_today_too(metered: Metered, name: str) -> None:
    await metered.use(50, "storage", subject=name)
    await metered.use(30, "storage", subject="other")
    await metered.use(1, "storage")
    metered.wait(days=1)

    await _erase(metered, name)

    assert await metered.level() == 31
    assert await metered.days("storage") == {"2030-01-10": 81, "2030-01-11": 31}
    await metered.use(20, "storage", subject="other")
    assert await metered.level() == 21


async def test_a_gauge_never_falls_below_zero(metered: Metered, name: str) -> None:
    await metered.use(50, "storage", subject=name)
    async with metered.database.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_gauges SET level = 20 WHERE workspace_id = :w"), {"w": metered.id})

    await _erase(metered, name)

    assert await metered.level() == 0


async def test_what_is_yet_to_be_paid_is_paid_as_nobodys(metered: Metered, name: str) -> None:
    subject_id = await _id(metered, name)
    await metered.use(1)

    async def owe(session: Session) -> None:
        for whose in (subject_id, uuid4()):
            session.add(
                UsageDueRow(
                    workspace_id=metered.id,
                    period_start=START,
                    resource="enrichments",
                    subject_id=whose,
                    units=Decimal(2),
                    value=Decimal(1000),
                    created_at=session.now,
                )
            )

    await transact(metered.database, owe)

    assert await _erase(metered, name) == ErasedSubject(counted=0, gauges=(), dues=1)

    async with metered.database.read() as session:
        query = select(UsageDueRow.subject_id, UsageDueRow.units).where(UsageDueRow.workspace_id == metered.id)
        rows = (await session.execute(query)).all()
    assert sorted((whose is None, units) for whose, units in rows) == [(False, 2), (True, 2)]


async def test_screens_are_told_and_the_audit_log_notes_it_without_the_name(metered: Metered, name: str) -> None:
    await metered.use(1, subject=name)
    before = await _version(metered)

    async def erase(session: Session) -> list[tuple[str, UUID]]:
        await erase_subject(session, metered.id, name)
        return [(hint.topic, hint.object_id) for hint in session.outbox.hints]

    assert await transact(metered.database, erase) == [("usage", metered.id)]
    assert await _version(metered) == before + 1
    async with metered.database.read() as session:
        [noted] = (await session.scalars(select(AuditEventRow).where(AuditEventRow.workspace_id == metered.id))).all()
    assert (noted.action, noted.actor_label, noted.detail) == ("usage.subject_erased", "operator", None)


async def test_a_subject_that_is_not_there_changes_nothing(metered: Metered, name: str) -> None:
    other = await Metered(metered.database).open()
    await metered.use(1, subject=name)
    await other.use(1)
    before = await _version(other)

    assert await _erase(other, name) is None
    assert await _erase(metered, name.upper()) is None

    assert await _version(other) == before
    assert (await metered.by_subject()).keys() == {name}


async def test_a_subject_that_is_named_again_begins_anew(metered: Metered, name: str) -> None:
    await metered.use(5, subject=name)
    await metered.use(50, "storage", subject=name)
    await _erase(metered, name)

    await metered.use(2, subject=name)
    await metered.use(40, "storage", subject=name)

    assert await metered.by_subject() == {name: (2, 0)}
    assert (await metered.counter()).used == 7
    assert await metered.level() == 40


async def test_an_erasure_waits_for_who_is_about_to_count_for_the_subject(metered: Metered, name: str) -> None:
    await metered.use(50, "storage", subject=name)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    async def count(session: Session) -> asyncio.Task[ErasedSubject | None]:
        ids = await subject_ids(session, [(metered.id, name)])
        erasing = asyncio.create_task(_erase(metered, name))
        while True:
            if await session.scalar(waiting):
                break
            await asyncio.sleep(0.01)
        await session.execute(
            text("UPDATE usage_levels SET level = 60 WHERE workspace_id = :w AND subject_id = :s"),
            {"w": metered.id, "s": ids[metered.id, name]},
        )
        await session.execute(text("UPDATE usage_gauges SET level = 60 WHERE workspace_id = :w"), {"w": metered.id})
        return erasing

    await (await transact(metered.database, count))

    assert await metered.level() == 0


async def test_erasing_while_it_is_used_fails_nothing_and_leaves_no_level_behind(
    fresh_database: Database, name: str
) -> None:
    metered = await Metered(fresh_database).open()
    await metered.grant(10_000)
    done = asyncio.Event()

    async def count(number: int) -> None:
        while not done.is_set():
            await metered.record(
                metered.event(1, subject=name),
                metered.event(number, "storage", subject=name),
                metered.event(number, "storage", subject=f"other {number}"),
            )

    async def spend() -> None:
        while not done.is_set():
            await _spend(metered, await _id(metered, name))

    async def erase() -> None:
        erased = [await _erase(metered, name) for _ in range(25)]
        assert any(erased)
        done.set()

    await asyncio.gather(*(count(number) for number in range(1, 4)), spend(), spend(), erase())
    await _erase(metered, name)

    assert await rows_naming(fresh_database, [name]) == []
    async with fresh_database.read() as session:
        levels = (await session.scalars(select(UsageLevelRow.level))).all()
        named = (await session.scalars(select(UsageSubjectRow.name))).all()
        subjects = (await session.scalars(select(SubjectUsageRow.subject_id))).all()
        spent = (await session.scalars(select(LedgerTransactionRow.subject_id))).all()
    assert sorted(named) == ["other 1", "other 2", "other 3"]
    assert (sorted(levels), await metered.level(), list(subjects)) == ([1, 2, 3], 6, [])
    assert len({*spent}) > 2
    report = await proof(fresh_database)
    assert report.is_sound, str(report.fault)


async def test_a_day_of_levels_belongs_to_the_period_that_is_running(metered: Metered, name: str) -> None:
    await metered.use(50, "storage", subject=name)
    metered.clock.moment = START + timedelta(days=31, hours=1)

    await _erase(metered, name)

    async with metered.database.read() as session:
        rows = await session.execute(
            text("SELECT period_start, day::text, used FROM usage_days WHERE workspace_id = :w ORDER BY day"),
            {"w": metered.id},
        )
        assert [tuple(row) for row in rows] == [
            (START, "2030-01-10", 50),
            (START.replace(month=2), "2030-02-10", 0),
        ]
