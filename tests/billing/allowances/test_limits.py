"""What a change of plan does to a limit: past use never becomes overage, and what is gained is what its price covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.billing.allowances.limits import Counted, Limit, PlanChange, limit_of, limits_now, moved
from app.billing.allowances.usage_periods import UsagePeriod, months_after, usage_period
from app.catalog import Allowance, Plan, load_catalog
from tests.support.running_backend import CATALOGS

_CATALOG = load_catalog(CATALOGS / "analytics.toml")
_CODE = "enrichments"
_START = datetime(2030, 4, 1, tzinfo=UTC)


class Workspace(NamedTuple):
    created_at: datetime = _START
    usage_anchor: datetime | None = None
    usage_anchored_at: datetime | None = None


_WORKSPACE = Workspace()
_APRIL = usage_period(_WORKSPACE, _START)


def plan(limit: int | Decimal | None, price: str | None = None) -> Plan:
    """A plan that includes so much of the counter, and so many bytes of storage."""
    credits_per_unit = Decimal(price) if price is not None else None
    counter = Allowance(
        resource=_CODE, limit=Decimal(limit) if limit is not None else None, credits_per_unit=credits_per_unit
    )
    gauge = Allowance(resource="storage", limit=counter.limit)
    return replace(_CATALOG.fallback_plan, allowances=(counter, gauge))


def counted(used: int | str | Decimal, allowance: int | Decimal | None, price: str | None = None) -> Counted:
    """A counter as it stands."""
    return Counted(
        Decimal(used),
        Decimal(allowance) if allowance is not None else None,
        Decimal(price) if price is not None else None,
    )


def changed(
    before: Plan,
    after: Plan,
    at: datetime,
    kept: Counted | None = None,
    *,
    workspace: Workspace = _WORKSPACE,
    period: UsagePeriod = _APRIL,
) -> Decimal | None:
    """The allowance after a change of plan."""
    return moved(_CATALOG, workspace, period, _CODE, kept, PlanChange(before, after, at)).allowance


def overage_of_next(quantity: Decimal, used: Decimal, allowance: Decimal | None) -> Decimal:
    """What of the next use lies past the allowance, as counting has it."""
    return Decimal(0) if allowance is None else max(Decimal(0), used + quantity - max(allowance, used))


quantities = st.decimals(0, 10**12, places=9, allow_nan=False)
whole = st.integers(0, 10**12).map(Decimal)
limits = st.none() | quantities | whole
moments = st.timedeltas(timedelta(), _APRIL.end - _START - timedelta(microseconds=1)).map(lambda later: _START + later)


def test_half_way_through_a_period_half_of_what_an_upgrade_adds_counts() -> None:
    assert changed(plan(100), plan(1_000), datetime(2030, 4, 16, tzinfo=UTC), counted(80, 100)) == 550


def test_the_share_is_rounded_up_to_a_whole_unit() -> None:
    # 900 × 1 ÷ 2,592,000
    assert changed(plan(100), plan(1_000), _APRIL.end - timedelta(seconds=1)) == 101


def test_added_allowance_counts_after_what_was_used() -> None:
    assert changed(plan(100), plan(1_000), datetime(2030, 4, 16, tzinfo=UTC), counted(130, 100)) == 580


def test_two_upgrades_in_a_row_add_both_shares() -> None:
    first = changed(plan(100), plan(1_000), datetime(2030, 4, 11, tzinfo=UTC), counted(0, 100))
    assert first == 100 + 600
    assert changed(plan(1_000), plan(4_000), datetime(2030, 4, 21, tzinfo=UTC), counted(0, first)) == 700 + 1_000


def test_an_unlimited_plan_has_no_limit_at_once_and_a_fall_from_it_is_the_new_plans() -> None:
    late = _APRIL.end - timedelta(seconds=1)
    assert changed(plan(100), plan(None), late, counted(130, 100)) is None
    assert changed(plan(None), plan(100), late, counted(130, None)) == 100


def test_a_free_workspace_that_subscribes_gets_a_full_month() -> None:
    began = datetime(2030, 4, 10, 8, 30, 1, 123457, tzinfo=UTC)
    workspace = Workspace(_START, began, began)
    period = usage_period(workspace, began)
    assert (period.start, period.end) == (_START, months_after(began, 1))
    assert changed(plan(100), plan(1_000), began, workspace=workspace, period=period) == 1_000
    used_up = counted(100, 100)
    assert changed(plan(100), plan(1_000), began, used_up, workspace=workspace, period=period) == 1_000


def test_where_more_than_a_month_is_left_more_than_a_month_is_gained() -> None:
    # an imported customer, who pays from the 5th of each month on
    workspace = Workspace(datetime(2030, 3, 20, tzinfo=UTC), _START - timedelta(days=300), _START - timedelta(days=11))
    workspace = workspace._replace(usage_anchor=datetime(2029, 4, 5, tzinfo=UTC))
    period = usage_period(workspace, _START)
    assert (period.start, period.end) == (datetime(2030, 3, 20, tzinfo=UTC), datetime(2030, 5, 5, tzinfo=UTC))
    assert changed(plan(0), plan(300), period.start, workspace=workspace, period=period) == 300 * 46 // 30


def test_credits_pay_by_the_plan_after() -> None:
    change = PlanChange(plan(100, "500"), plan(100, "0.5"), _START)
    kept = counted(10, 100, "500")
    assert moved(_CATALOG, _WORKSPACE, _APRIL, _CODE, kept, change) == Limit(Decimal(100), Decimal("0.5"))
    change = PlanChange(plan(100, "500"), plan(50), _START)
    assert moved(_CATALOG, _WORKSPACE, _APRIL, _CODE, kept, change) == Limit(Decimal(50), None)


def test_a_price_is_told_in_steps_of_the_credit_unit() -> None:
    cents = replace(_CATALOG, credit_unit=replace(_CATALOG.credit_unit, decimals=2))
    assert limit_of(cents, plan(1, "0.005"), _CODE) == Limit(Decimal(1), Decimal("0.5"))
    assert limit_of(cents, plan(1), "sessions") == Limit(Decimal(0), None)


def test_a_period_that_ended_before_the_change_keeps_its_limit() -> None:
    assert changed(plan(100), plan(1_000), _APRIL.end, counted(130, 120)) == 120
    assert changed(plan(100), plan(10), _APRIL.end) == 100


@given(limits, limits, quantities, quantities, quantities, moments)
def test_a_change_of_plan_never_turns_past_use_into_overage(
    before: Decimal | None, after: Decimal | None, used: Decimal, more: Decimal, allowance: Decimal, at: datetime
) -> None:
    now = changed(plan(before), plan(after), at, counted(used, allowance if before is not None else None))

    assert overage_of_next(Decimal(0), used, now) == 0
    assert overage_of_next(more, used, now) <= more


@given(whole, whole.map(lambda each: each + 1), quantities, moments)
def test_what_an_upgrade_adds_is_what_is_left_of_the_month(
    before: Decimal, added: Decimal, used: Decimal, at: datetime
) -> None:
    now = changed(plan(before), plan(before + added), at, counted(used, before))

    assert now is not None
    gained = now - max(before, used)
    paid = added * Decimal((_APRIL.end - at) // timedelta(microseconds=1))
    month = (_APRIL.end - _START) // timedelta(microseconds=1)
    assert 0 <= gained <= added
    assert gained == added or (gained - 1) * month < paid <= gained * month


@given(whole, whole, whole, quantities, st.lists(moments, min_size=2, max_size=2).map(sorted))
def test_two_upgrades_give_no_more_than_the_greater_one_at_once(
    before: Decimal, first: Decimal, second: Decimal, used: Decimal, at: list[datetime]
) -> None:
    middle, top = plan(before + first), plan(before + first + second)
    one = changed(plan(before), middle, at[0], counted(used, before))
    both = changed(middle, top, at[1], counted(used, one))
    direct = changed(plan(before), top, at[0], counted(used, before))

    assert one is not None
    assert both is not None
    assert direct is not None
    # each is rounded up by itself
    assert one <= both <= direct + 1


@given(quantities, quantities, quantities, moments)
def test_a_fall_is_to_what_the_plan_after_includes(
    before: Decimal, after: Decimal, used: Decimal, at: datetime
) -> None:
    assume(after < before)
    assert changed(plan(before), plan(after), at, counted(used, before)) == after


@given(limits, quantities, st.none() | quantities, moments)
def test_an_equal_limit_stays_as_it_is(
    limit: Decimal | None, used: Decimal, allowance: Decimal | None, at: datetime
) -> None:
    assert changed(plan(limit), plan(limit), at, counted(used, allowance)) == allowance


@given(limits, limits, moments)
def test_a_gauge_has_the_present_plans_limit_at_once(
    before: Decimal | None, after: Decimal | None, at: datetime
) -> None:
    change = PlanChange(plan(before), plan(after), at)
    found = limits_now(_CATALOG, _WORKSPACE, _APRIL, plan(after), {}, unwritten=change)
    assert found["storage"] == Limit(after, None)


@pytest.mark.parametrize("used", [0, 70, 5_000])
def test_what_is_kept_of_a_counter_is_its_limit_and_else_the_whole_of_the_plan(used: int) -> None:
    kept = {_CODE: counted(used, 550, "3")}
    assert limits_now(_CATALOG, _WORKSPACE, _APRIL, plan(1_000), kept)[_CODE] == Limit(Decimal(550), Decimal(3))
    assert limits_now(_CATALOG, _WORKSPACE, _APRIL, plan(1_000), {})[_CODE] == Limit(Decimal(1_000), None)


@given(limits, limits, quantities, moments)
def test_what_nobody_has_written_down_yet_is_read_as_it_will_be_written(
    before: Decimal | None, after: Decimal | None, used: Decimal, at: datetime
) -> None:
    kept = counted(used, before)
    change = PlanChange(plan(before), plan(after), at)
    found = limits_now(_CATALOG, _WORKSPACE, _APRIL, plan(after), {_CODE: kept}, unwritten=change)
    assert found[_CODE] == moved(_CATALOG, _WORKSPACE, _APRIL, _CODE, kept, change)
