"""A change of plan moves what is included, in the unit that changes it, and never what was counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from app.accounts.access.audit_log import OPERATOR
from app.billing.allowances.limits import Counted, Limit
from app.billing.allowances.plan_changes import anchor_usage
from app.billing.allowances.usage_periods import months_after, usage_period
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.kept_terms import keep_terms
from app.billing.subscriptions.lapsed_plans import follow_lapsed, limits_seen
from app.catalog import Allowance, Catalog
from app.db.engine import Session
from app.db.reads import Reads
from app.db.tables.usage import UsageStateRow
from app.db.unit_of_work import transact
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store
from tests.metering.workspace import START, Metered, catalog
from tests.support.subscriptions import choice_of

# what the plans of the catalog include of enrichments
FREE, PERSONAL, TEAM = 100, 1_000, 10_000


async def give(metered: Metered, plan: str, *, ends_at: datetime | None = None) -> None:
    """Put the workspace on a plan from now on."""
    choice = choice_of(metered.catalog, plan, 1, None)
    await transact(
        metered.database,
        lambda session: given_plans.give(session, metered.catalog, metered.id, choice, actor=OPERATOR, ends_at=ends_at),
    )


async def end(metered: Metered) -> None:
    """End what was given."""
    await transact(
        metered.database,
        lambda session: given_plans.end(session, metered.catalog, metered.id, actor=OPERATOR),
    )


async def lapse(metered: Metered, sold: Catalog | None = None) -> None:
    """Have followed what nobody wrote down, as counting does first."""
    await transact(metered.database, lambda session: follow_lapsed(session, sold or metered.catalog, metered.id))


async def anchor(metered: Metered, started_at: datetime) -> None:
    """Let the first subscription have begun at a time, as it becomes known now."""
    await transact(metered.database, lambda session: anchor_usage(session, metered.catalog, metered.id, started_at))


async def seen(metered: Metered) -> Mapping[str, Limit]:
    """The limits as they are read."""
    reads = Reads(metered.database)
    subscribed = await reads.one_of(subscription_store.SUBSCRIBED, metered.id)
    assert subscribed is not None
    state, start = await _state(metered), usage_period(subscribed, metered.clock.now()).start
    codes = [resource.code for resource in metered.catalog.resources]
    rows = [row for code in codes for row in await metered.counters(code) if row.period_start == start]
    counted = {row.resource: Counted(row.used, row.allowance, row.price) for row in rows}
    followed = state.terms_id if state is not None else None
    return await limits_seen(reads, metered.catalog, subscribed, followed=followed, counted=counted)


async def _state(metered: Metered) -> UsageStateRow | None:
    async with metered.database.read() as session:
        return await session.get(UsageStateRow, metered.id)


async def version(metered: Metered) -> int:
    """The version of what is shown."""
    state = await _state(metered)
    return state.version if state is not None else 0


async def test_an_upgrade_half_way_adds_half_of_the_difference_to_every_counter(metered: Metered) -> None:
    await metered.use(80)
    metered.wait(days=15, hours=12)
    await give(metered, "personal")

    counter = await metered.counter()
    assert (counter.used, counter.allowance, counter.price) == (80, FREE + (PERSONAL - FREE) // 2, 500)
    assert (await metered.counter("sessions")).allowance == 1_000 + 9_000 // 2
    limits = await seen(metered)
    assert limits["enrichments"].allowance == 550
    assert limits["storage"].allowance == 10_000_000_000

    await metered.use(480)
    counter = await metered.counter()
    assert (counter.used, counter.overage) == (560, 10)


async def test_a_fall_moves_the_limit_and_owes_nothing_for_what_was_used(metered: Metered) -> None:
    await metered.grant(1_000_000)
    await give(metered, "personal")
    await metered.use(700)
    await end(metered)

    counter = await metered.counter()
    assert (counter.used, counter.allowance, counter.overage, counter.charged) == (700, FREE, 0, 0)
    await metered.use(1)
    counter = await metered.counter()
    assert (counter.overage, counter.charged) == (1, 500)


async def test_a_late_event_is_counted_by_the_terms_of_its_period(metered: Metered) -> None:
    metered.wait(days=40)
    await give(metered, "personal")

    await metered.use(150, at=START + timedelta(days=20))

    before, running = await metered.counters()
    assert (before.used, before.allowance, before.overage) == (150, FREE, 50)
    assert (running.used, running.period_start) == (0, months_after(START, 1))


async def test_what_is_counted_ahead_of_the_next_period_has_the_new_plans_whole_limit(metered: Metered) -> None:
    metered.clock.moment = months_after(START, 1) - timedelta(minutes=2)
    await metered.use(5, at=months_after(START, 1) + timedelta(minutes=1))
    await give(metered, "personal")

    running, following = await metered.counters()
    assert running.allowance == FREE + 1
    assert (following.used, following.allowance) == (5, PERSONAL)


async def test_the_same_plan_again_moves_nothing_and_shows_nothing_new(metered: Metered) -> None:
    metered.wait(days=10)
    await give(metered, "personal")
    before, first = await version(metered), await metered.counter()
    metered.wait(days=10)
    await give(metered, "personal")
    assert (await version(metered), (await metered.counter()).allowance) == (before, first.allowance)


async def test_screens_are_told_of_moved_limits(metered: Metered) -> None:
    await metered.use(1)
    before = await version(metered)
    await give(metered, "personal")
    assert await version(metered) == before + 1


async def test_a_trial_that_ended_is_read_as_ended_and_followed_by_whoever_counts_next(metered: Metered) -> None:
    await give(metered, "personal", ends_at=START + timedelta(days=14))
    await metered.use(400)
    metered.wait(days=14)

    read = await seen(metered)
    assert read["enrichments"] == Limit(Decimal(FREE), Decimal(500))
    assert (await metered.counter()).allowance == PERSONAL
    await lapse(metered)
    assert await seen(metered) == read
    counter = await metered.counter()
    assert (counter.used, counter.allowance, counter.overage) == (400, FREE, 0)

    # the worker comes at last, and finds nothing to do
    before = await version(metered)
    await transact(metered.database, lambda session: given_plans.check_due(session, metered.catalog, metered.id))
    assert await version(metered) == before


async def test_a_trial_that_ended_in_the_period_before_counts_late_events_of_it_as_ended(metered: Metered) -> None:
    await give(metered, "personal", ends_at=START + timedelta(days=14))
    metered.clock.moment = months_after(START, 1) + timedelta(days=1)
    await lapse(metered)

    before, running = await metered.counters()
    assert (before.allowance, running.allowance) == (FREE, FREE)


async def test_a_plan_that_is_given_after_a_trial_has_ended_counts_from_then_on(metered: Metered) -> None:
    await give(metered, "personal", ends_at=START + timedelta(days=5))
    await metered.use(300)
    metered.wait(days=15, hours=12)
    await give(metered, "team")
    assert (await metered.counter()).allowance == 300 + (TEAM - FREE) // 2


async def test_what_ends_by_the_clock_is_left_to_who_changes_the_plan_meanwhile(metered: Metered) -> None:
    await give(metered, "personal", ends_at=START + timedelta(days=5))
    metered.wait(days=6)
    await asyncio.gather(give(metered, "team"), *(lapse(metered) for _ in range(5)))
    await lapse(metered)

    left = months_after(START, 1) - metered.clock.now()
    gained = -(-(TEAM - FREE) * left // timedelta(days=31))
    assert (await metered.counter()).allowance == FREE + gained


async def test_another_fallback_plan_of_a_new_catalog_is_followed(metered: Metered) -> None:
    await transact(metered.database, lambda session: keep_terms(session, metered.catalog))
    await metered.use(10)
    metered.wait(days=15, hours=12)
    plans = [
        replace(plan, allowances=(Allowance(resource="enrichments", limit=Decimal(300)),))
        if plan.code == "free"
        else plan
        for plan in metered.catalog.plans
    ]
    sold = replace(catalog(), plans=tuple(plans))
    await lapse(metered, sold)
    assert (await metered.counter()).allowance == FREE + 100


async def test_a_workspace_whose_former_terms_nobody_knows_keeps_its_limits(metered: Metered) -> None:
    await metered.use(10)

    async def forget(session: Session) -> None:
        state = await session.get(UsageStateRow, metered.id)
        assert state is not None
        state.terms_id = "gone-0123456789abcdef"

    await transact(metered.database, forget)
    await give(metered, "personal")
    state = await _state(metered)
    assert state is not None
    assert state.terms_id == choice_of(metered.catalog, "personal", 1).terms.id
    assert (await metered.counter()).allowance == FREE


async def test_the_first_subscription_lengthens_the_running_period_and_clears_no_counter(metered: Metered) -> None:
    await metered.use(30)
    metered.wait(days=10)
    began = metered.clock.now()
    await anchor(metered, began)

    counter, state = await metered.counter(), await _state(metered)
    assert (counter.used, counter.period_start, counter.period_end) == (30, START, months_after(began, 1))
    assert state is not None
    assert state.turns_at == months_after(began, 1)
    metered.clock.moment = months_after(began, 1) - timedelta(seconds=1)
    await metered.use(5)
    metered.wait(seconds=1)
    await metered.use(7)
    assert [each.used for each in await metered.counters()] == [35, 7]


async def test_a_second_subscription_keeps_the_day(metered: Metered) -> None:
    metered.wait(days=10)
    began = metered.clock.now()
    await asyncio.gather(*(anchor(metered, began + timedelta(seconds=each)) for each in range(5)))
    metered.wait(days=45)
    await anchor(metered, metered.clock.now())

    async with metered.database.read() as session:
        found = await workspace_store.usage_anchor(session, metered.id)
    assert found is not None
    assert found.usage_anchor is not None
    assert found.usage_anchor - began < timedelta(seconds=5)
    assert found.usage_anchored_at == began


async def test_what_was_counted_ahead_of_a_turn_is_in_the_period_that_is_lengthened_over_it(metered: Metered) -> None:
    metered.clock.moment = months_after(START, 1) - timedelta(minutes=1)
    await metered.use(90, subject="ada")
    ahead = months_after(START, 1) + timedelta(minutes=1)
    await metered.use(110, at=ahead, subject="ada")
    await metered.use(5, "storage")
    await metered.use(8, "storage", at=ahead)
    await anchor(metered, metered.clock.now() - timedelta(minutes=5))

    counter = await metered.counter()
    assert (counter.used, counter.overage, counter.unpaid) == (200, 10, 10)
    assert counter.period_end == months_after(metered.clock.now() - timedelta(minutes=5), 1)
    assert await metered.days() == {ahead.date().isoformat(): 200}
    assert await metered.days("storage") == {ahead.date().isoformat(): 8}
    assert await metered.by_subject() == {"ada": (200, 0)}


@pytest.mark.parametrize("plan", ["personal", "team"])
async def test_a_free_workspace_that_subscribes_gets_a_full_month(metered: Metered, plan: str) -> None:
    await metered.use(100)
    metered.wait(days=9, seconds=1)
    began = metered.clock.now()
    await anchor(metered, began)
    await give(metered, plan)
    counter = await metered.counter()
    assert (counter.allowance, counter.used) == ({"personal": PERSONAL, "team": TEAM}[plan], 100)
