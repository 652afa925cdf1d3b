"""Events are known for 90 days after they arrived, and then forgotten in small steps."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from app.db.tables.usage import UsageEventRow
from app.db.unit_of_work import transact
from app.metering.usage_events import EVENTS_KEPT
from app.store import usage_events as usage_event_store
from tests.metering.workspace import Metered


async def test_an_event_is_known_for_90_days_after_it_arrived(metered: Metered) -> None:
    assert timedelta(days=90) == EVENTS_KEPT
    event = metered.event(1, event_id="a", at=metered.clock.moment - timedelta(days=29))
    await metered.record(event)
    metered.wait(days=90)
    await _forget_all(metered)
    assert (await metered.record(event)).duplicates == 1

    metered.wait(microseconds=1)
    await _forget_all(metered)
    assert [each.code for each in (await metered.record(event)).rejected] == ["EVENT_TOO_OLD"]
    assert [row.used for row in await metered.counters()] == [1]


async def test_old_events_are_forgotten_in_small_steps(metered: Metered) -> None:
    await metered.record(*(metered.event() for _ in range(5)))
    metered.wait(days=91)

    assert await _forget(metered, 2) == 2
    await _forget_all(metered)

    async with metered.database.read() as session:
        mine = select(func.count()).select_from(UsageEventRow).where(UsageEventRow.workspace_id == metered.id)
        assert await session.scalar(mine) == 0


async def _forget_all(metered: Metered) -> None:
    while await _forget(metered, 500):
        pass


async def _forget(metered: Metered, limit: int) -> int:
    return await transact(
        metered.database,
        lambda session: usage_event_store.forget(session, session.now - EVENTS_KEPT, limit=limit),
    )
