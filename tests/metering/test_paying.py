"""Paying for what goes past the plan: the allowance first, then credits, then unpaid overage, exact at each border."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.catalog import Catalog
from app.db.engine import Database, Session
from app.metering import paying
from tests.metering.workspace import Metered, catalog
from tests.support.subscriptions import choice_of, subscribe

# On the Free plan 100 enrichments are included in a period, and one past them costs 500 tokens.
INCLUDED = 100
PRICE = 500


async def test_the_allowance_comes_first_then_credits_then_nothing(metered: Metered) -> None:
    await metered.grant(10 * PRICE)

    await metered.use(INCLUDED)
    assert (await metered.counter()).overage == 0
    await metered.use(4)
    counter = await metered.counter()
    assert (counter.used, counter.overage, counter.charged, counter.unpaid) == (104, 4, 4 * PRICE, 0)
    await metered.use(10)

    counter = await metered.counter()
    assert (counter.used, counter.overage, counter.charged, counter.unpaid) == (114, 14, 10 * PRICE, 4)
    assert await metered.available() == 0


async def test_an_event_that_straddles_the_border_is_split(metered: Metered) -> None:
    await metered.grant(5 * PRICE + 250)

    await metered.use(INCLUDED + 7)

    counter = await metered.counter()
    assert (counter.overage, counter.charged, counter.unpaid) == (7, 5 * PRICE + 250, Decimal("1.5"))
    [spend] = await metered.spends()
    assert (spend.amount, spend.resource) == (-(5 * PRICE + 250), "enrichments")
    assert spend.description == "Enrichments past what the plan includes"


async def test_what_nothing_paid_for_is_never_collected_later(metered: Metered) -> None:
    await metered.use(INCLUDED + 3)
    await metered.grant(100 * PRICE)

    await metered.use(1)

    counter = await metered.counter()
    assert (counter.overage, counter.unpaid, counter.charged) == (4, 3, PRICE)
    assert await metered.available() == 99 * PRICE


async def test_without_a_price_what_goes_past_the_allowance_is_unpaid(metered: Metered) -> None:
    await metered.grant(10 * PRICE)
    await metered.use(1_500, "sessions")

    counter = await metered.counter("sessions")
    assert (counter.overage, counter.unpaid, counter.charged) == (500, 500, 0)
    assert await metered.available() == 10 * PRICE


async def test_what_is_owed_rounds_down_over_the_whole_period(database: Database) -> None:
    metered = await _compute(database)
    await metered.grant(1_000_000)

    # 0.00055 dollars a second, in steps of 0.000001
    total = Decimal(0)
    for seconds in ("0.001", "0.001", "1.5", "0.0001", "7.123456789"):
        await metered.use(400_000 if not total else 0, "model-seconds")
        total += Decimal(seconds)
        await metered.use(seconds, "model-seconds")

    counter = await metered.counter("model-seconds")
    assert counter.overage == total
    assert counter.charged == int(total * 550)
    assert await metered.available() == 1_000_000 - counter.charged


async def _compute(database: Database) -> Metered:
    compute: Catalog = catalog("compute")
    metered = await Metered(database, compute).open()
    await subscribe(metered.database, metered.id, choice_of(compute, "professional", 1))
    return metered


async def test_many_subjects_in_one_call_are_charged_in_turn(metered: Metered) -> None:
    await metered.grant(6 * PRICE)

    await metered.record(
        metered.event(INCLUDED - 1),
        metered.event(3, subject="ada"),
        metered.event(2, subject="bob"),
        metered.event(1, subject="ada"),
        metered.event(4),
    )

    # two of ada's three and all that follows are past the allowance
    assert await metered.by_subject() == {"ada": (4, 3 * PRICE), "bob": (2, 2 * PRICE)}
    counter = await metered.counter()
    assert (counter.overage, counter.charged, counter.unpaid) == (9, 6 * PRICE, 3)
    assert [spend.amount for spend in await metered.spends()] == [-PRICE, -2 * PRICE, -3 * PRICE]


async def test_a_late_event_spends_todays_credits_for_its_own_period(metered: Metered) -> None:
    started_at = metered.clock.moment
    metered.wait(days=31)
    await metered.grant(10 * PRICE)
    await metered.use(INCLUDED)

    await metered.use(INCLUDED + 2, at=started_at + timedelta(days=20))

    before, now = await metered.counters()
    assert (before.overage, before.charged, now.overage) == (2, 2 * PRICE, 0)


async def test_callers_at_once_never_spend_more_than_there_is(metered: Metered) -> None:
    await metered.grant(15 * PRICE)
    await metered.use(INCLUDED)

    await asyncio.gather(*(metered.use(1) for _ in range(30)))

    counter = await metered.counter()
    assert (counter.overage, counter.charged, counter.unpaid) == (30, 15 * PRICE, 15)
    assert await metered.available() == 0


async def test_what_a_crash_left_unpaid_is_paid_by_the_worker_once(
    metered: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    await metered.grant(10 * PRICE)

    async def crash(*_: object) -> None:
        raise RuntimeError("the server was killed")

    with monkeypatch.context() as patched:
        patched.setattr("app.metering.ingest.pay_usage", crash)
        await metered.use(INCLUDED + 2, subject="ada")
    assert (await metered.counter()).charged == 0

    metered.wait(seconds=5)
    await asyncio.gather(*(paying.pay_left(metered.database, metered.catalog, limit=10_000) for _ in range(3)))

    counter = await metered.counter()
    assert (counter.overage, counter.charged, counter.unpaid) == (2, 2 * PRICE, 0)
    assert await metered.by_subject() == {"ada": (102, 2 * PRICE)}
    assert await metered.available() == 8 * PRICE


async def test_expired_credits_pay_for_nothing(metered: Metered) -> None:
    await metered.grant(10 * PRICE, expires_at=metered.clock.moment + timedelta(days=1))
    await metered.use(INCLUDED + 1)
    metered.wait(days=1)

    await metered.use(1)

    counter = await metered.counter()
    assert (counter.overage, counter.charged, counter.unpaid) == (2, PRICE, 1)


async def test_what_costs_more_than_any_balance_holds_takes_what_there_is_and_keeps_nobody_from_being_paid(
    metered: Metered,
) -> None:
    other = await Metered(metered.database, clock=metered.clock).open()
    await metered.grant(1_000)
    await other.grant(1_000)

    recorded = await metered.record(*(metered.event("999999999999999999") for _ in range(3)), other.event(INCLUDED + 1))

    assert recorded.accepted == 4
    counter = await metered.counter()
    assert (counter.charged, counter.unpaid) == (1_000, counter.overage - 2)
    assert ((await other.counter()).charged, await other.available()) == (PRICE, 1_000 - PRICE)


async def test_a_workspace_that_cannot_be_paid_for_keeps_no_other_from_being_paid(
    metered: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await Metered(metered.database, clock=metered.clock).open()
    for each in (metered, other):
        await each.grant(1_000)
    pay = vars(paying)["_pay"]

    async def fail_for_one(catalog: Catalog, workspace_ids: Collection[UUID], session: Session) -> int:
        if metered.id in workspace_ids:
            raise ValueError("something is wrong with it")
        return await pay(catalog, workspace_ids, session)

    monkeypatch.setattr(paying, "_pay", fail_for_one)
    await metered.record(metered.event(INCLUDED + 1), other.event(INCLUDED + 1))

    assert ((await metered.counter()).charged, (await other.counter()).charged) == (0, PRICE)
