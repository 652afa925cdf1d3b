"""What is included while a workspace moves to another plan: it counts as one change, whatever is between the two."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import select

from app.billing.allowances.plan_changes import running_period
from app.db.tables.usage import UsageCounterRow
from app.metering.ingest import record_usage
from app.metering.usage_events import UsageEvent
from tests.support.plan_moves import leave, on_legacy, set_by_operator
from tests.support.previews import charge_to, wait_until
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import codes, subscription

# what the legacy plans include of model time, and how much of the credit unit's steps a second past it costs
ESSENTIAL, PROFESSIONAL = 50_000, 400_000
_LAPSE = timedelta(seconds=20)


async def use(backend: RunningBackend, person: Person, seconds: int) -> None:
    """Use model time now."""
    event = UsageEvent(person.workspace_id, None, "model-seconds", Decimal(seconds), uuid4().hex)
    recorded = await record_usage(backend.database, backend.parts.runtime.catalog, [event])
    assert recorded.accepted == 1


async def counter(backend: RunningBackend, person: Person) -> UsageCounterRow:
    """The counter of model time in the running period."""
    row = UsageCounterRow
    query = select(row).where(row.workspace_id == person.workspace_id, row.resource == "model-seconds")
    async with backend.database.read() as session:
        return list(await session.scalars(query.order_by(row.period_start)))[-1]


async def test_a_move_to_a_greater_paid_plan_adds_its_share_to_what_was_included(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)
    await use(dollars, person, 10)
    async with dollars.database.read() as session:
        running = await running_period(session, person.workspace_id)
    assert (await counter(dollars, person)).allowance == ESSENTIAL
    await wait_until(dollars, running.start + (running.end - running.start) / 2)
    before = dollars.database.clock.now()

    move = await set_by_operator(dollars, person, "professional")

    assert move.failure is None
    found = await counter(dollars, person)
    added, whole = PROFESSIONAL - ESSENTIAL, running.end - running.start
    least, most = (running.end - before - _LAPSE) / whole, (running.end - before) / whole
    assert found.used == 10
    assert found.allowance is not None
    assert ESSENTIAL + added * least <= found.allowance <= ESSENTIAL + added * most + 2


async def test_leaving_a_legacy_plan_leaves_what_was_used_unpaid_for_and_prices_the_rest(
    dollars: RunningBackend,
) -> None:
    person = await on_legacy(dollars)
    await use(dollars, person, 30_000)

    assert codes(await leave(dollars, person)) == []

    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"
    found = await counter(dollars, person)
    assert (found.used, found.allowance, found.overage, found.price) == (30_000, 0, 0, 450)
    await use(dollars, person, 2)
    assert (await counter(dollars, person)).overage == 2


async def test_where_the_next_plan_can_not_be_begun_the_limits_are_the_fallback_plans(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)
    await use(dollars, person, 30_000)
    await charge_to(dollars, person, "pm_card_chargeCustomerFail")

    move = await set_by_operator(dollars, person, "professional")

    assert move.failure is not None
    found = await counter(dollars, person)
    assert (found.used, found.allowance, found.overage) == (30_000, 0, 0)
