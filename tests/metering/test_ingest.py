"""Counting: each event once, into its own period, the rest kept when some can't be counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.billing.allowances.plan_changes import anchor_usage
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.metering import ingest
from app.metering.usage_events import UsageEvent
from tests.metering.workspace import START, Metered

# On the Free plan 100 enrichments are included in a period, and one past them costs 500 tokens.
INCLUDED = 100
PRICE = 500


async def test_what_is_used_adds_up(metered: Metered) -> None:
    recorded = await metered.record(metered.event(3), metered.event(4), metered.event(5, "sessions"))

    assert (recorded.accepted, recorded.duplicates, recorded.rejected) == (3, 0, [])
    await metered.use(0)
    await metered.use("2.5")
    assert (await metered.counter()).used == Decimal("9.5")
    assert (await metered.counter("sessions")).used == 5


async def test_an_event_counts_once_however_often_it_is_sent(metered: Metered) -> None:
    event = metered.event(3, event_id="a")

    first = await metered.record(event, event, metered.event(4, event_id="b"))
    again = await metered.record(metered.event(99, "sessions", event_id="a"), metered.event(4, event_id="b"))

    assert (first.accepted, first.duplicates) == (2, 1)
    assert (again.accepted, again.duplicates, again.rejected) == (0, 2, [])
    assert (await metered.counter()).used == 7
    assert await metered.counters("sessions") == []


async def test_the_same_event_from_many_callers_at_once_counts_once(metered: Metered) -> None:
    events = [metered.event(1, event_id=f"{number}") for number in range(20)]

    answers = await asyncio.gather(*(metered.record(*events[::-1], *events) for _ in range(12)))

    assert sum(answer.accepted for answer in answers) == 20
    assert {answer.accepted + answer.duplicates for answer in answers} == {40}
    assert (await metered.counter()).used == 20


async def test_what_cannot_be_counted_is_told_by_its_place_and_the_rest_is_kept(metered: Metered) -> None:
    nobody = UsageEvent(None, "nobody", "enrichments", Decimal(1), "x")
    both = UsageEvent(metered.id, "nobody", "enrichments", Decimal(1), "x")
    recorded = await metered.record(
        metered.event(1),
        nobody,
        metered.event(1, "bananas"),
        metered.event(1, at=START - timedelta(days=30, seconds=1)),
        metered.event(1, at=START + timedelta(minutes=5, seconds=1)),
        metered.event(-1),
        metered.event("0.0000000001"),
        metered.event(10**18),
        metered.event("NaN"),
        metered.event(1, event_id="a" * 256),
        metered.event(1, subject=" "),
        both,
        metered.event(1, at=START - timedelta(days=30)),
        metered.event(1, at=START + timedelta(minutes=5)),
    )

    assert recorded.accepted == 3
    invalid = ErrorCode.INVALID_INPUT
    assert [(each.index, each.code) for each in recorded.rejected] == [
        (1, ErrorCode.UNKNOWN_WORKSPACE),
        (2, ErrorCode.UNKNOWN_RESOURCE),
        (3, ErrorCode.EVENT_TOO_OLD),
        *((index, invalid) for index in range(4, 12)),
    ]
    assert all(each.message.endswith(".") for each in recorded.rejected)


async def test_a_call_in_which_nothing_can_be_counted_counts_nothing(metered: Metered) -> None:
    recorded = await metered.record(UsageEvent(None, None, "enrichments", Decimal(1), "x"))

    assert (recorded.accepted, [each.code for each in recorded.rejected]) == (0, [ErrorCode.INVALID_INPUT])
    assert await metered.counters() == []


async def test_a_duplicate_is_known_before_its_age_and_content_are_looked_at(metered: Metered) -> None:
    occurred_at = START - timedelta(days=29)
    await metered.use(3, event_id="a", at=occurred_at)
    metered.wait(days=2)

    recorded = await metered.record(
        metered.event(3, event_id="a", at=occurred_at),
        metered.event(-1, "bananas", event_id="a"),
        metered.event(3, event_id="b", at=occurred_at),
    )

    assert (recorded.accepted, recorded.duplicates) == (0, 2)
    assert [(each.index, each.code) for each in recorded.rejected] == [(2, ErrorCode.EVENT_TOO_OLD)]


async def test_what_was_rejected_may_be_sent_again_corrected(metered: Metered) -> None:
    wrong = await metered.record(metered.event(1, "bananas", event_id="a"), metered.event(2, event_id="a"))

    assert (wrong.accepted, wrong.duplicates, len(wrong.rejected)) == (1, 0, 1)
    assert (await metered.counter()).used == 2


async def test_an_event_belongs_to_the_period_in_which_it_occurred(metered: Metered) -> None:
    await metered.use(1)
    metered.wait(days=31)  # START is the 10th at 12:30, when periods begin
    turn = datetime(2030, 2, 10, 12, 30, tzinfo=UTC)

    await metered.use(2, at=turn - timedelta(microseconds=1))
    await metered.use(4, at=turn)

    counters = await metered.counters()
    assert [(row.period_start, row.used) for row in counters] == [(START, 3), (turn, 4)]
    assert [row.period_end for row in counters] == [turn, datetime(2030, 3, 10, 12, 30, tzinfo=UTC)]


async def test_an_event_sent_again_a_second_after_midnight_or_the_turn_counts_once(metered: Metered) -> None:
    metered.wait(hours=11, minutes=29, seconds=59)
    before_midnight = metered.event(1, event_id="night")
    await metered.record(before_midnight)
    metered.wait(seconds=2)
    assert (await metered.record(before_midnight)).duplicates == 1

    metered.clock.moment = datetime(2030, 2, 10, 12, 29, 59, tzinfo=UTC)
    at_the_end = metered.event(1, event_id="month")
    await metered.record(at_the_end)
    metered.wait(seconds=2)
    assert (await metered.record(at_the_end)).duplicates == 1
    assert sum(row.used for row in await metered.counters()) == 2


async def test_use_is_counted_by_day(metered: Metered) -> None:
    await metered.use(1)
    await metered.use(2, at=START + timedelta(minutes=4))
    metered.wait(hours=12)
    await metered.use(4)
    await metered.use(8, at=START)

    assert await metered.days() == {"2030-01-10": 11, "2030-01-11": 4}


async def test_a_workspace_is_found_by_its_external_id(metered: Metered) -> None:
    other = await Metered(metered.database).open(external_id=f"host-{metered.id}")
    event = UsageEvent(None, f" host-{metered.id} ", "enrichments", Decimal(2), "a")

    recorded = await metered.record(event, metered.event(3, event_id="a"), other.event(2, event_id="a"))

    assert (recorded.accepted, recorded.duplicates) == (2, 1)
    assert ((await other.counter()).used, (await metered.counter()).used) == (2, 3)


async def test_what_is_dated_before_the_workspace_was_made_counts_in_its_first_period(metered: Metered) -> None:
    await metered.use(3, at=START - timedelta(days=3))

    assert [(row.period_start, row.used) for row in await metered.counters()] == [(START, 3)]
    assert await metered.days() == {"2030-01-10": 3}


# gauges


async def test_the_latest_level_of_a_gauge_wins(metered: Metered) -> None:
    await metered.use(5, "storage", at=START)
    await metered.use(7, "storage", at=START - timedelta(hours=1))
    assert await metered.level() == 5

    recorded = await metered.record(
        metered.event(3, "storage", at=START + timedelta(minutes=2)),
        metered.event(9, "storage", at=START + timedelta(minutes=1)),
    )

    assert recorded.accepted == 2
    assert await metered.level() == 3
    assert await metered.days("storage") == {"2030-01-10": 3}
    assert await metered.counters("storage") == []


async def test_a_gauge_with_subjects_is_their_sum(metered: Metered) -> None:
    await metered.record(metered.event(5, "storage", subject="a"), metered.event(7, "storage", subject="b"))
    await metered.use(1, "storage", subject="a")
    assert await metered.level() == 8
    await metered.use(0, "storage", subject="b")
    assert await metered.level() == 1


async def test_a_gauge_reported_by_many_at_once_is_the_sum_of_its_levels(metered: Metered) -> None:
    async def report(subject: int) -> None:
        for level in range(5):
            await metered.use(level + subject, "storage", subject=f"{subject}")

    await asyncio.gather(*(report(subject) for subject in range(6)))
    assert await metered.level() == sum(4 + subject for subject in range(6))


# subjects


async def test_use_is_counted_by_subject_too(metered: Metered) -> None:
    await metered.record(
        metered.event(1, subject="ada"),
        metered.event(2, subject=" ada "),
        metered.event(4, subject="bob"),
        metered.event(8),
    )

    assert await metered.by_subject() == {"ada": (3, 0), "bob": (4, 0)}
    assert (await metered.counter()).used == 15


@pytest.mark.parametrize("quantity", ["123456789012345678.123456789", "0.000000001", "1e17", "0e50", "1.50e1"])
async def test_quantities_are_exact(metered: Metered, quantity: str) -> None:
    await metered.use(quantity, "events")
    assert (await metered.counter("events")).used == Decimal(quantity)


async def test_events_counted_while_a_first_subscription_moves_the_periods_are_in_those_that_there_are(
    metered: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    metered.wait(days=30, hours=23, minutes=58)
    turn = datetime(2030, 2, 10, 12, 30, tzinfo=UTC)
    prepare = vars(ingest)["_prepare"]

    async def move_then_count(*arguments: Any) -> Any:
        batch = await prepare(*arguments)
        monkeypatch.setattr(ingest, "_prepare", prepare)
        # looked up before, and counted after the first subscription began
        moment = metered.clock.moment
        await transact(metered.database, lambda session: anchor_usage(session, metered.catalog, metered.id, moment))
        return batch

    monkeypatch.setattr(ingest, "_prepare", move_then_count)
    await metered.use(3, at=turn + timedelta(minutes=1))

    counter = await metered.counter()
    assert (counter.period_start, counter.period_end, counter.used) == (START, turn + timedelta(days=28, minutes=-2), 3)
