"""Bars: what is shown of usage, its limits, its levels, its days and who used it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from app.accounts.access.audit_log import OPERATOR
from app.billing.allowances.usage_periods import UsagePeriod
from app.billing.subscriptions import given_plans
from app.catalog import Resource
from app.db.reads import Reads
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.ids import uuid7
from app.metering.bars import Usage, UsageBar, UsageLevel, read_usage
from app.metering.subjects import subject_ids
from app.metering.use_by_subject import SubjectUse
from app.store import usage_states as usage_state_store
from tests.metering.workspace import START, Metered
from tests.support.subscriptions import choice_of

# On the Free plan 100 enrichments are included in a period, and one past them costs 500 tokens.
INCLUDED = 100
PRICE = 500
_ENRICHMENTS = Resource(code="enrichments", name="Enrichments", unit="enrichment", is_gauge=False)


async def _usage(metered: Metered, **more: Any) -> Usage:
    return await read_usage(Reads(metered.database), metered.catalog, metered.id, **more)


async def _bar(metered: Metered, resource: str = "enrichments", **more: Any) -> UsageBar:
    bar = (await _usage(metered, **more)).bar(resource)
    assert bar is not None
    return bar


async def test_there_is_a_bar_for_each_resource_in_the_catalogs_order_though_nothing_was_used(metered: Metered) -> None:
    usage = await _usage(metered, with_series=True, subjects=3)

    assert [bar.resource.code for bar in usage.bars] == ["sessions", "events", "enrichments", "storage"]
    assert [bar.limit for bar in usage.bars] == [1_000, 50_000, INCLUDED, 1_000_000_000]
    assert {(bar.used, bar.overage, bar.unpaid, bar.charged, bar.level) for bar in usage.bars} == {
        (0, 0, 0, 0, UsageLevel.NORMAL)
    }
    assert usage.period == (START, datetime(2030, 2, 10, 12, 30, tzinfo=UTC))
    assert [bar.resets_at for bar in usage.bars] == [usage.period.end] * 3 + [None]
    assert [bar.most_use.uses for bar in usage.bars if bar.most_use is not None] == [()] * 4


async def test_a_resource_that_todays_catalog_lacks_has_no_bar(metered: Metered) -> None:
    await metered.use(3)
    metered.catalog = replace(metered.catalog, resources=metered.catalog.resources[:2])

    assert [bar.resource.code for bar in (await _usage(metered)).bars] == ["sessions", "events"]


async def test_there_is_no_usage_of_a_workspace_that_is_not_there(metered: Metered) -> None:
    with pytest.raises(NotFound):
        await read_usage(Reads(metered.database), metered.catalog, uuid7())


async def test_a_bar_shows_what_is_used_and_what_credits_paid(metered: Metered) -> None:
    await metered.grant(20 * PRICE)
    await metered.use(INCLUDED + 30)

    bar = await _bar(metered)

    assert (bar.used, bar.remaining, bar.ratio, bar.level) == (130, 0, Fraction(13, 10), UsageLevel.EXCEEDED)
    assert (bar.overage, bar.charged, bar.unpaid) == (30, 20 * PRICE, 10)


@pytest.mark.parametrize(
    ("used", "limit", "level", "ratio", "remaining"),
    [
        ("79.999999999", "100", UsageLevel.NORMAL, 0.79999999999, "20.000000001"),
        ("80", "100", UsageLevel.WARNING, 0.8, "20"),
        ("94.999999999", "100", UsageLevel.WARNING, 0.94999999999, "5.000000001"),
        ("95", "100", UsageLevel.CRITICAL, 0.95, "5"),
        ("99.999999999", "100", UsageLevel.CRITICAL, 0.99999999999, "0.000000001"),
        ("100", "100", UsageLevel.EXCEEDED, 1.0, "0"),
        ("250", "100", UsageLevel.EXCEEDED, 2.5, "0"),
        ("0", "0", UsageLevel.NORMAL, None, "0"),
        ("0.000000001", "0", UsageLevel.EXCEEDED, None, "0"),
        ("1e27", None, UsageLevel.NORMAL, None, None),
        ("999999999999999999.999999999", "1000000000000000000", UsageLevel.CRITICAL, 1.0, "0.000000001"),
    ],
)
def test_a_level_says_how_near_the_limit_is(
    used: str, limit: str | None, level: UsageLevel, ratio: float | None, remaining: str | None
) -> None:
    bar = UsageBar(
        workspace_id=uuid7(),
        period=UsagePeriod(START, START + timedelta(days=31)),
        resource=_ENRICHMENTS,
        used=Decimal(used),
        limit=Decimal(limit) if limit is not None else None,
        price=None,
        overage=Decimal(0),
        unpaid=Decimal(0),
        owed=Decimal(0),
        charged=0,
    )

    assert bar.level is level
    assert (float(bar.ratio) if bar.ratio is not None else None) == ratio
    assert bar.remaining == (Decimal(remaining) if remaining is not None else None)


async def test_a_gauge_shows_its_level_and_what_is_above_the_limit_is_unpaid(metered: Metered) -> None:
    await metered.grant(PRICE)
    await metered.use(1_000_000_025, "storage")
    metered.wait(days=40)

    bar = await _bar(metered, "storage")

    assert (bar.used, bar.overage, bar.unpaid, bar.charged) == (1_000_000_025, 25, 25, 0)
    assert (bar.resets_at, bar.price, bar.level) == (None, None, UsageLevel.EXCEEDED)


async def test_a_new_period_begins_at_nothing_though_nobody_sends_anything(metered: Metered) -> None:
    await metered.use(INCLUDED, at=START)
    before = await _usage(metered)
    metered.wait(days=31)

    after = await _usage(metered, with_series=True, subjects=1)

    bar = after.bar("enrichments")
    assert bar is not None
    assert (before.period.end, after.period.start) == (after.period.start, before.period.end)
    assert (bar.used, bar.limit, bar.level) == (0, INCLUDED, UsageLevel.NORMAL)
    assert [use.used for use in bar.series] == [0]
    assert bar.most_use is not None
    assert bar.most_use.uses == ()
    assert after.version > before.version


async def test_what_is_used_a_little_ahead_of_the_turn_is_shown_in_the_next_period(metered: Metered) -> None:
    await metered.use(1)
    metered.wait(days=31, minutes=-1)
    await metered.use(2, at=metered.clock.moment + timedelta(minutes=2))

    assert (await _bar(metered)).used == 1
    metered.wait(minutes=1)
    assert (await _bar(metered)).used == 2


async def test_the_version_rises_with_every_change(metered: Metered) -> None:
    versions = [(await _usage(metered)).version]
    for _ in range(3):
        await metered.use(INCLUDED)
        versions.append((await _usage(metered)).version)

    assert versions == sorted(set(versions))


async def test_a_hint_has_usage_read_again_whatever_version_is_known(metered: Metered) -> None:
    await metered.use(1)

    assert usage_state_store.hint(metered.id).version > (await _usage(metered)).version


async def test_limits_are_those_of_the_counter_and_without_one_those_of_the_plan(metered: Metered) -> None:
    await metered.use(3)
    team = choice_of(metered.catalog, "team", 5, None)
    metered.wait(days=15, hours=12)
    await transact(
        metered.database,
        lambda session: given_plans.give(session, metered.catalog, metered.id, team, actor=OPERATOR),
    )
    plan = metered.catalog.plan("team")
    assert plan is not None
    in_full = {allowance.resource: allowance.limit for allowance in plan.allowances}

    usage = await _usage(metered)
    metered.wait(days=31)
    after = await _usage(metered)

    counter = await metered.counters()
    shown = {bar.resource.code: bar.limit for bar in usage.bars}
    assert shown["enrichments"] == counter[-1].allowance
    assert shown["enrichments"] != in_full["enrichments"]
    assert shown["storage"] == in_full["storage"]
    assert {bar.resource.code: bar.limit for bar in after.bars} == in_full


async def test_a_given_plan_that_has_ended_gives_its_limits_no_more_though_nobody_wrote_it_down(
    metered: Metered,
) -> None:
    team = choice_of(metered.catalog, "team", 5, None)
    ends_at = metered.clock.moment + timedelta(days=3)
    await transact(
        metered.database,
        lambda session: given_plans.give(session, metered.catalog, metered.id, team, ends_at=ends_at, actor=OPERATOR),
    )
    before = (await _bar(metered, "storage")).limit
    metered.wait(days=3)

    assert before is not None
    assert before > 1_000_000_000
    assert [bar.limit for bar in (await _usage(metered)).bars] == [1_000, 50_000, INCLUDED, 1_000_000_000]


async def test_the_series_has_each_day_of_the_period_so_far(metered: Metered) -> None:
    await metered.use(3)
    metered.wait(days=2)
    await metered.use("2.5")
    await metered.use(1, at=START + timedelta(hours=1))
    metered.wait(days=1)

    series = (await _bar(metered, with_series=True)).series

    assert series == (
        (date(2030, 1, 10), 4),
        (date(2030, 1, 11), 0),
        (date(2030, 1, 12), Decimal("2.5")),
        (date(2030, 1, 13), 0),
    )


async def test_a_day_that_a_sender_is_ahead_in_is_shown_already(metered: Metered) -> None:
    metered.wait(hours=11, minutes=29)
    await metered.use(3, at=metered.clock.moment + timedelta(minutes=3))

    bar = await _bar(metered, with_series=True)

    assert bar.series == ((date(2030, 1, 10), 0), (date(2030, 1, 11), 3))
    assert sum(use.used for use in bar.series) == bar.used


async def test_a_gauge_keeps_its_level_from_day_to_day_and_into_the_next_period(metered: Metered) -> None:
    metered.wait(days=1)
    await metered.use(7, "storage")
    metered.wait(days=2)
    await metered.use(9, "storage")
    metered.wait(days=1)
    first = (await _bar(metered, "storage", with_series=True)).series
    metered.wait(days=28)
    silent = (await _bar(metered, "storage", with_series=True)).series
    await metered.use(5, "storage")
    second = (await _bar(metered, "storage", with_series=True)).series

    assert [use.used for use in first] == [0, 7, 7, 9, 9]
    assert [use.day.isoformat() for use in silent] == ["2030-02-10", "2030-02-11"]
    assert [use.used for use in silent] == [9, 9]
    assert [use.used for use in second] == [9, 5]


async def test_those_who_used_most_come_first_with_the_credits_that_paid_for_them(metered: Metered) -> None:
    await metered.grant(1_000 * PRICE)
    await metered.use(INCLUDED, subject="ada")
    await metered.use(7, subject="grace")
    await metered.use(5)
    await metered.use(1, subject="zoe")

    bar = await _bar(metered, subjects=10)
    first = await _bar(metered, subjects=2)

    assert bar.most_use is not None
    assert bar.most_use.uses == (
        SubjectUse("ada", Decimal(100), 0),
        SubjectUse("grace", Decimal(7), 7 * PRICE),
        SubjectUse(None, Decimal(5), 5 * PRICE),
        SubjectUse("zoe", Decimal(1), PRICE),
    )
    assert first.most_use is not None
    assert first.most_use.uses == bar.most_use.uses[:2]


async def test_what_has_no_subject_is_told_also_where_only_some_subjects_are(metered: Metered) -> None:
    for number in range(5):
        await metered.use(10 + number, subject=f"agent-{number}")
    await metered.use(50)

    bar = await _bar(metered, subjects=2)

    assert bar.most_use is not None
    assert bar.most_use.uses == (SubjectUse(None, Decimal(50), 0), SubjectUse("agent-4", Decimal(14), 0))


async def test_the_subjects_of_a_gauge_make_up_its_level(metered: Metered) -> None:
    await metered.use(7, "storage", subject="a")
    await metered.use(9, "storage", subject="b")
    await metered.use(2, "storage")
    await metered.use(0, "storage", subject="a")

    bar = await _bar(metered, "storage", subjects=5)

    assert bar.most_use is not None
    assert bar.most_use.uses == (SubjectUse("b", Decimal(9), 0), SubjectUse(None, Decimal(2), 0))
    assert sum(use.used for use in bar.most_use.uses) == bar.used


async def test_bars_days_and_subjects_agree_whatever_is_counted_meanwhile(metered: Metered) -> None:
    await metered.use(0)
    done = asyncio.Event()

    async def count() -> None:
        for number in range(40):
            events = [metered.event(1 + each, subject=f"agent-{(number + each) % 3}") for each in range(3)]
            await metered.record(*events, metered.event(1))
        done.set()

    counting = asyncio.create_task(count())
    looks = 0
    while not done.is_set():
        bar = await _bar(metered, with_series=True, subjects=10)
        assert bar.most_use is not None
        assert sum(use.used for use in bar.series) == bar.used == sum(use.used for use in bar.most_use.uses)
        looks += 1
    await counting
    assert looks > 1


async def test_who_was_erased_is_under_nobody(metered: Metered) -> None:
    await metered.use(7, subject="ada")
    await metered.use(2, subject="grace")
    await _erase(metered, "ada")

    bar = await _bar(metered, subjects=5)

    assert bar.most_use is not None
    assert bar.most_use.uses == (SubjectUse(None, Decimal(7), 0), SubjectUse("grace", Decimal(2), 0))


async def _erase(metered: Metered, name: str) -> None:
    ids = await transact(metered.database, lambda session: subject_ids(session, [(metered.id, name)]))
    async with metered.database.raw() as connection:
        await connection.execute("DELETE FROM usage_subjects WHERE id = $1", ids[metered.id, name])
