"""The turn of a period: screens are told of it once, though nobody sends anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import update

from app.db.engine import Session
from app.db.outbox import Hint
from app.db.reads import Reads
from app.db.tables.usage import UsageStateRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.jobs.usage_works import turn_periods
from app.metering.bars import read_usage
from app.store import usage_states as usage_state_store
from tests.metering.workspace import START, Metered

_TURN = datetime(2030, 2, 10, 12, 30, tzinfo=UTC)


async def _state(metered: Metered) -> UsageStateRow:
    async with metered.database.read() as session:
        row = await session.get(UsageStateRow, metered.id)
        assert row is not None
        return row


async def _turn(metered: Metered) -> None:
    context: Any = SimpleNamespace(database=metered.database)
    while await turn_periods(context):
        pass


async def _shown(metered: Metered) -> int:
    return (await read_usage(Reads(metered.database), metered.catalog, metered.id)).version


async def test_a_period_turns_when_it_has_ended_and_the_next_turn_is_a_month_later(metered: Metered) -> None:
    await metered.use(1)
    assert (await _state(metered)).turns_at == _TURN
    metered.clock.moment = _TURN - timedelta(microseconds=1)
    await _turn(metered)
    before = await _state(metered)
    metered.clock.moment = _TURN
    shown = await _shown(metered)
    await _turn(metered)
    after = await _state(metered)

    assert before.turns_at == _TURN
    assert after.turns_at == datetime(2030, 3, 10, 12, 30, tzinfo=UTC)
    assert (after.version, await _shown(metered)) == (before.version + 1, shown + 1)


async def test_turns_that_nobody_came_for_are_one(metered: Metered) -> None:
    await metered.use(1)
    version = (await _state(metered)).version
    metered.wait(days=100)
    await _turn(metered)
    await _turn(metered)

    state = await _state(metered)
    assert (state.version, state.turns_at) == (version + 1, datetime(2030, 5, 10, 12, 30, tzinfo=UTC))


async def test_a_turn_is_hinted_to_open_screens(metered: Metered) -> None:
    hinted: list[Hint] = []

    class _Hints:
        transactional_channel: str | None = None

        def encode(self, hints: object) -> list[str]:
            return []

        async def publish(self, hints: list[Hint]) -> None:
            hinted.extend(hints)

    await metered.use(1)
    metered.wait(days=31)
    metered.database.hints = _Hints()  # pyright: ignore[reportAttributeAccessIssue]
    await _turn(metered)

    assert [hint for hint in hinted if hint.workspace_id == metered.id] == [usage_state_store.hint(metered.id)]


async def test_the_next_turn_is_that_of_the_period_as_the_first_subscription_lengthened_it(metered: Metered) -> None:
    await metered.use(1)
    metered.wait(days=31)

    async def anchor(session: Session) -> None:
        lengthened = update(WorkspaceRow).where(WorkspaceRow.id == metered.id)
        started = START + timedelta(days=20)
        await session.execute(lengthened.values(usage_anchor=started, usage_anchored_at=started))

    await transact(metered.database, anchor)
    await _turn(metered)

    assert (await _state(metered)).turns_at == datetime(2030, 2, 28, 12, 30, tzinfo=UTC)
