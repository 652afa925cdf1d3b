"""Whether more may be used: within the plan, paid by credits, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import insert

from app.db.reads import Reads
from app.db.tables.usage import UsageDueRow
from app.db.unit_of_work import transact
from app.errors import BadUserInput, NotFound
from app.ids import uuid7
from app.metering.usage_check import UsageCheck, UsageDecision, check_usage
from tests.metering.workspace import START, Metered, catalog

# On the Free plan 100 enrichments are included in a period, and one past them costs 500 tokens.
INCLUDED = 100
PRICE = 500
_WITHIN = UsageCheck(UsageDecision.WITHIN_ALLOWANCE)


async def _check(metered: Metered, quantity: int | str, resource: str = "enrichments") -> UsageCheck:
    return await check_usage(Reads(metered.database), metered.catalog, metered.id, resource, Decimal(quantity))


async def test_what_the_plan_includes_is_within_it_to_the_last_part(metered: Metered) -> None:
    assert await _check(metered, INCLUDED) == _WITHIN
    await metered.use("40.5")

    assert await _check(metered, "59.5") == _WITHIN
    assert (await _check(metered, "59.6")).needed == PRICE // 10


async def test_what_goes_past_it_is_paid_by_credits_that_cover_all_of_it(metered: Metered) -> None:
    await metered.use(INCLUDED - 1)
    await metered.grant(3 * PRICE)

    assert await _check(metered, 4) == UsageCheck(UsageDecision.PAID_BY_CREDITS, 3 * PRICE)
    refused = await _check(metered, 5)
    assert (refused.decision, refused.needed) == (UsageDecision.REFUSED, 4 * PRICE)
    assert refused.reason == "There are fewer credits than this takes, but for those held or owed already."


async def test_what_credits_cannot_pay_for_takes_none(metered: Metered) -> None:
    await metered.grant(PRICE)

    refused = await _check(metered, 1_001, "sessions")

    assert (refused.decision, refused.needed) == (UsageDecision.REFUSED, 0)
    assert refused.reason == "This is more than the plan includes in a period, and credits can't pay for it."


async def test_a_gauge_may_rise_to_its_limit_and_stay_above_it(metered: Metered) -> None:
    await metered.use(900_000_000, "storage")
    assert await _check(metered, 100_000_000, "storage") == _WITHIN
    assert (await _check(metered, 100_000_001, "storage")).decision is UsageDecision.REFUSED

    await metered.use(1_200_000_000, "storage")
    assert await _check(metered, 0, "storage") == _WITHIN
    refused = await _check(metered, 1, "storage")
    assert (refused.needed, refused.reason) == (0, "This is more than the plan includes, and credits can't pay for it.")


async def test_only_whole_steps_are_needed_and_what_was_charged_before_counts(metered: Metered) -> None:
    await metered.grant(10 * PRICE)
    await metered.use(INCLUDED)

    assert (await _check(metered, "0.001")).needed == 0
    await metered.use("0.0019")
    assert await _check(metered, "0.0001") == UsageCheck(UsageDecision.PAID_BY_CREDITS, 1)


@pytest.mark.parametrize("parts", [1, 3])
async def test_what_a_check_says_is_what_it_costs(metered: Metered, parts: int) -> None:
    await metered.grant(10_000)
    await metered.use(INCLUDED - 2)
    for quantity in ("2.0011", "0.0007", "3.3333"):
        needed, before = (await _check(metered, quantity)).needed, await metered.available()
        part = Decimal(quantity) / parts
        await metered.record(*(metered.event(part.quantize(Decimal("0.000000001"))) for _ in range(parts)))
        assert abs(before - await metered.available() - needed) <= (0 if parts == 1 else 1)


async def test_credits_that_are_spoken_for_pay_for_nothing_else(metered: Metered) -> None:
    await metered.use(INCLUDED)
    await metered.grant(3 * PRICE)
    await _wait_to_be_paid(metered, Decimal(2), Decimal("1000.5"))

    assert await _check(metered, "0.999") == UsageCheck(UsageDecision.PAID_BY_CREDITS, 500)
    assert (await _check(metered, "1.001")).decision is UsageDecision.REFUSED


async def test_without_credits_nothing_past_it_is_paid(metered: Metered) -> None:
    await metered.use(INCLUDED)
    refused = await _check(metered, 1)

    assert (refused.decision, refused.needed) == (UsageDecision.REFUSED, PRICE)


async def test_each_period_is_checked_by_itself(metered: Metered) -> None:
    await metered.use(INCLUDED)
    metered.wait(days=31)

    assert await _check(metered, INCLUDED) == _WITHIN


@pytest.mark.parametrize(
    ("resource", "quantity", "message"),
    [
        ("bananas", "1", "The catalog has no such resource."),
        ("enrichments", "-1", "A quantity can't be negative."),
        ("enrichments", "0.0000000001", "A quantity has at most 9 digits after the point."),
    ],
)
async def test_what_cannot_be_used_is_told(metered: Metered, resource: str, quantity: str, message: str) -> None:
    with pytest.raises(BadUserInput, match=message):
        await _check(metered, quantity, resource)


async def test_nobody_uses_anything_in_a_workspace_that_is_not_there(metered: Metered) -> None:
    with pytest.raises(NotFound):
        await check_usage(Reads(metered.database), catalog(), uuid7(), "enrichments", Decimal(1))


async def _wait_to_be_paid(metered: Metered, units: Decimal, value: Decimal) -> None:
    due = insert(UsageDueRow).values(
        workspace_id=metered.id,
        period_start=START,
        resource="enrichments",
        subject_id=None,
        units=units,
        value=value,
        created_at=metered.clock.moment,
    )
    await transact(metered.database, lambda session: session.execute(due))
