"""The first paid plan of a workspace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.billing.subscriptions.planner import WantedChange, plan_start
from app.catalog import Catalog
from app.error_codes import ErrorCode
from tests.billing.subscriptions.choices import (
    ANALYTICS,
    COMPUTE,
    MESSAGING,
    MONTH,
    YEAR,
    choice,
    plan_named,
    with_plan,
)
from tests.billing.subscriptions.plans_made import (
    start_refusal,
)

# the first paid plan


def test_the_first_paid_plan_is_had_on_todays_terms() -> None:
    wanted = WantedChange(plan_code="business", interval=YEAR, seats=6, add_ons={"phone-numbers": 2})

    assert plan_start(MESSAGING, wanted, used_seats=1) == choice(MESSAGING, "business", 6, YEAR, phone_numbers=2)


@pytest.mark.parametrize(("used", "seats"), [(1, 2), (7, 7)])
def test_the_first_seats_not_named_are_those_in_use_or_the_plans_minimum(used: int, seats: int) -> None:
    assert plan_start(ANALYTICS, WantedChange(plan_code="team"), used_seats=used) == choice(ANALYTICS, "team", seats)


def test_a_first_plan_not_sold_monthly_is_billed_yearly() -> None:
    team = plan_named(ANALYTICS, "team")
    yearly_only = with_plan(ANALYTICS, replace(team, prices=team.prices[1:]))

    assert plan_start(yearly_only, WantedChange(plan_code="team"), used_seats=1).interval is YEAR
    assert start_refusal(WantedChange(plan_code="team", interval=MONTH), yearly_only)[0] is ErrorCode.PLAN_UNAVAILABLE


def test_the_first_paid_plan_must_be_named() -> None:
    assert start_refusal(WantedChange(seats=3)) == (
        ErrorCode.INVALID_INPUT,
        "Choose a plan: there is no subscription yet to change otherwise.",
        "planCode",
    )


@pytest.mark.parametrize(
    ("catalog", "wanted", "used", "code"),
    [
        (ANALYTICS, WantedChange(plan_code="gold"), 1, ErrorCode.PLAN_UNAVAILABLE),
        (COMPUTE, WantedChange(plan_code="essential"), 1, ErrorCode.PLAN_UNAVAILABLE),
        (ANALYTICS, WantedChange(plan_code="free"), 1, ErrorCode.NO_CHANGE),
        (ANALYTICS, WantedChange(plan_code="enterprise"), 1, ErrorCode.NOT_SELF_SERVE),
        (ANALYTICS, WantedChange(plan_code="team", seats=1), 1, ErrorCode.SEAT_LIMIT),
        (ANALYTICS, WantedChange(plan_code="team", seats=3), 4, ErrorCode.SEATS_IN_USE),
        (ANALYTICS, WantedChange(plan_code="personal"), 2, ErrorCode.SEATS_IN_USE),
        (ANALYTICS, WantedChange(plan_code="team"), 51, ErrorCode.SEATS_IN_USE),
        (MESSAGING, WantedChange(plan_code="starter", add_ons={"phone-numbers": 101}), 1, ErrorCode.INVALID_INPUT),
    ],
)
def test_what_cant_be_had_as_the_first_paid_plan_is_refused(
    catalog: Catalog, wanted: WantedChange, used: int, code: ErrorCode
) -> None:
    assert start_refusal(wanted, catalog, used=used)[0] is code


def test_another_plan_without_a_price_is_nothing_to_pay_for() -> None:
    lite = replace(plan_named(ANALYTICS, "free"), code="lite", name="Lite", rank=1)

    assert start_refusal(WantedChange(plan_code="lite"), with_plan(ANALYTICS, lite))[:2] == (
        ErrorCode.PLAN_UNAVAILABLE,
        "Lite has no price: there is nothing to pay for.",
    )
