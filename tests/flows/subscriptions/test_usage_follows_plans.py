"""Usage through a customer's months: periods keep their day, and limits follow what is paid for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from app.billing.allowances.usage_periods import UsagePeriod, last_month, months_after, usage_period
from app.db.tables.subscriptions import SubscriptionChangeRow
from app.db.tables.usage import UsageCounterRow
from app.metering.ingest import record_usage
from app.metering.usage_events import UsageEvent
from app.store import workspaces as workspace_store
from app.store.workspaces import UsageAnchor
from tests.support.client import eventually
from tests.support.previews import jump_to, wait_until
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    charge_to,
    codes,
    provider_id,
    subscribe,
    subscription,
)

# what the plans of the analytics catalog include of enrichments
FREE, PERSONAL, TEAM, BUSINESS = 100, 1_000, 10_000, 50_000
FAILING = "pm_card_chargeCustomerFail"


async def _subscriber(backend: RunningBackend, plan: str, **more: Any) -> Person:
    """Somebody who came a minute ago, and has subscribed now."""
    person = await backend.sign_up()
    await backend.advance("PT1M")
    await subscribe(backend, person, plan, **more)
    return person


async def use(backend: RunningBackend, person: Person, quantity: int, resource: str = "enrichments") -> None:
    """Use something now."""
    event = UsageEvent(person.workspace_id, None, resource, Decimal(quantity), uuid4().hex)
    recorded = await record_usage(backend.database, backend.parts.runtime.catalog, [event])
    assert recorded.accepted == 1


async def counters(backend: RunningBackend, person: Person, resource: str = "enrichments") -> list[UsageCounterRow]:
    """The counters of a resource, the oldest period first."""
    row = UsageCounterRow
    query = select(row).where(row.workspace_id == person.workspace_id, row.resource == resource)
    async with backend.database.read() as session:
        return list(await session.scalars(query.order_by(row.period_start)))


async def anchored(backend: RunningBackend, person: Person) -> UsageAnchor:
    """What the workspace's periods are counted from."""
    async with backend.database.read() as session:
        found = await workspace_store.usage_anchor(session, person.workspace_id)
    assert found is not None
    return found


async def period(backend: RunningBackend, person: Person) -> UsagePeriod:
    """The usage period that is running."""
    return usage_period(await anchored(backend, person), backend.database.clock.now())


async def shown_period(backend: RunningBackend, person: Person) -> UsagePeriod:
    """The period that is shown of the subscription."""
    found = (await subscription(backend, person))["currentPeriod"]
    return UsagePeriod(datetime.fromisoformat(found["start"]), datetime.fromisoformat(found["end"]))


async def share(backend: RunningBackend, person: Person, added: int, at: datetime) -> int:
    """What of an addition counts from a time in the running period on, in whole units up."""
    running = await period(backend, person)
    month = last_month(await anchored(backend, person), running)
    return -(-added * (running.end - at) // (running.end - month))


async def test_a_free_workspace_that_subscribes_on_day_10_has_a_full_month_and_keeps_its_counter(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    created = await period(backend, person)
    await use(backend, person, 130)
    await backend.advance("P10D")
    assert await shown_period(backend, person) == created

    await subscribe(backend, person, "personal")

    [counter] = await counters(backend, person)
    paid = await shown_period(backend, person)
    assert (counter.period_start, counter.period_end) == (created.start, paid.end)
    assert (counter.used, counter.overage, counter.unpaid) == (130, 30, 30)
    # the added allowance counts after what was used
    assert counter.allowance == 130 + PERSONAL - FREE
    await wait_until(backend, paid.end + timedelta(minutes=2))
    await use(backend, person, 1)
    assert (await counters(backend, person))[-1].allowance == PERSONAL
    assert await period(backend, person) == await shown_period(backend, person)


async def test_who_subscribes_in_the_second_of_signing_up_has_the_months_that_are_paid_for(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    created = await period(backend, person)
    await subscribe(backend, person, "personal")
    paid = await shown_period(backend, person)
    found = await period(backend, person)
    assert found.start == created.start
    assert abs(found.end - paid.end) < timedelta(seconds=1)
    assert (await counters(backend, person))[-1].allowance == PERSONAL


async def test_an_upgrade_in_the_middle_adds_its_share_and_the_next_period_is_clean(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "team", seats=5)
    await use(backend, person, 13_000)
    running = await period(backend, person)
    await wait_until(backend, running.start + (running.end - running.start) / 2)

    assert codes(await change_plan(backend, person, "business")) == []

    counter = (await counters(backend, person))[-1]
    async with backend.database.read() as session:
        query = select(SubscriptionChangeRow.prorated_at).where(
            SubscriptionChangeRow.workspace_id == person.workspace_id
        )
        [charged_from] = (await session.scalars(query)).all()
    assert charged_from is not None
    assert counter.used == 13_000
    assert counter.allowance == 13_000 + await share(backend, person, BUSINESS - TEAM, charged_from)
    # more seats are the same plan
    assert codes(await change_seats(backend, person, 7)) == []
    assert (await counters(backend, person))[-1].allowance == counter.allowance

    await wait_until(backend, running.end + timedelta(minutes=2))
    await use(backend, person, 5)
    newest = (await counters(backend, person))[-1]
    assert (newest.period_start, newest.used, newest.allowance, newest.overage) == (running.end, 5, BUSINESS, 0)


async def test_an_upgrade_that_becomes_known_late_counts_from_when_it_was_charged(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "team", seats=5)
    await backend.advance("P12D")
    await use(backend, person, 10)
    await backend.sandbox.fail("drop_before", "/v1/subscriptions.*", times=200)
    asked_at = backend.database.clock.now()
    await change_plan(backend, person, "business", idempotencyKey="late")
    await backend.sandbox.restore()
    await change_plan(backend, person, "business", idempotencyKey="late")

    counter = (await counters(backend, person))[-1]
    assert counter.allowance is not None
    most = TEAM + await share(backend, person, BUSINESS - TEAM, asked_at)
    assert most - 5 <= counter.allowance <= most


async def test_falling_back_after_grace_keeps_the_day_and_owes_nothing(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "team", seats=3)
    first = await period(backend, person)
    await charge_to(backend, person, FAILING)
    await wait_until(backend, first.end + timedelta(hours=2))
    await use(backend, person, 6_000)
    assert (await subscription(backend, person))["status"] == "PAST_DUE"

    await backend.advance("P8D")

    assert (await subscription(backend, person))["plan"]["code"] == "free"
    before, counter = await counters(backend, person)
    assert (before.period_start, before.allowance) == (first.start, TEAM)
    assert (counter.used, counter.allowance, counter.overage) == (6_000, FREE, 0)
    running = await period(backend, person)
    assert running.start == first.end
    assert await shown_period(backend, person) == running
    await use(backend, person, 4)
    assert (await counters(backend, person))[-1].overage == 4


async def test_a_second_subscription_keeps_the_day_of_the_first(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "personal")
    first = await period(backend, person)
    await cancel(backend, person)
    await wait_until(backend, first.end + timedelta(days=10))
    assert (await subscription(backend, person))["plan"]["code"] == "free"
    await use(backend, person, 40)

    await subscribe(backend, person, "personal")

    running = await period(backend, person)
    assert running.start == first.end
    [former, counter] = await counters(backend, person)
    assert (former.period_start, former.allowance) == (first.start, PERSONAL)
    started = (await shown_period(backend, person)).start
    assert counter.allowance == FREE + await share(backend, person, PERSONAL - FREE, started)
    await wait_until(backend, running.end + timedelta(minutes=2))
    await use(backend, person, 1)
    assert (await counters(backend, person))[-1].period_start == running.end


async def test_a_yearly_subscriber_has_months_across_31_january_to_1_march(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    now = backend.database.clock.now()
    await jump_to(backend, datetime(now.year + 1, 1, 31, 10, tzinfo=UTC))
    await subscribe(backend, person, "personal", interval="YEAR")
    began = (await shown_period(backend, person)).start
    assert (began.month, began.day) == (1, 31)

    february, march = months_after(began, 1), months_after(began, 2)
    for moment, quantity in ((february, 400), (march, 30)):
        await jump_to(backend, moment - timedelta(seconds=30))
        await use(backend, person, quantity)
        await jump_to(backend, moment + timedelta(seconds=1))
        await use(backend, person, 1)

    rows = [row for row in await counters(backend, person) if row.period_end > began]
    assert [(row.period_start, row.period_end) for row in rows[1:]] == [
        (february, march),
        (march, months_after(began, 3)),
    ]
    assert (february.day, march.day) in ((28, 31), (29, 31))
    assert rows[0].period_end == february
    assert [(row.used, row.allowance) for row in rows] == [(400, PERSONAL), (31, PERSONAL), (1, PERSONAL)]


async def test_monthly_to_yearly_and_back_keeps_limits_and_the_day(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "personal")
    running = await period(backend, person)
    await use(backend, person, 70)
    await backend.advance("P5D")

    assert codes(await change_plan(backend, person, "personal", interval="YEAR")) == []

    counter = (await counters(backend, person))[-1]
    assert (counter.used, counter.allowance) == (70, PERSONAL)
    assert await period(backend, person) == running


async def test_a_downgrade_counts_from_the_next_period_on(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "team", seats=3)
    running = await period(backend, person)
    await use(backend, person, 9_000)
    assert codes(await change_plan(backend, person, "personal")) == []
    assert (await counters(backend, person))[-1].allowance == TEAM

    await wait_until(backend, running.end + timedelta(minutes=2))

    assert (await subscription(backend, person))["plan"]["code"] == "personal"
    await use(backend, person, 5)
    former, newest = await counters(backend, person)
    assert (former.used, former.allowance, former.overage) == (9_000, TEAM, 0)
    assert (newest.period_start, newest.used, newest.allowance) == (running.end, 5, PERSONAL)


async def test_an_upgrade_in_stripes_dashboard_counts_from_when_it_is_known(backend: RunningBackend) -> None:
    person = await _subscriber(backend, "team", seats=5)
    await backend.advance("P10D")
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    prices = await backend.sandbox.listed("/v1/prices", active="true", limit="100")
    [price] = [each for each in prices if (each["lookup_key"] or "").startswith("analytics-plan-business-seat-month")]
    asked_at = backend.database.clock.now()
    changed = {"items[0][id]": stripe["items"]["data"][0]["id"], "items[0][price]": price["id"]}
    await backend.sandbox.post(f"/v1/subscriptions/{stripe['id']}", **changed)

    async def is_known() -> bool:
        return (await subscription(backend, person))["plan"]["code"] == "business"

    await eventually(is_known)
    allowance = (await counters(backend, person))[-1].allowance
    most = TEAM + await share(backend, person, BUSINESS - TEAM, asked_at)
    assert allowance is not None
    assert most - 5 <= allowance <= most
