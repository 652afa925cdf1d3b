"""What can't be had, and what the person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.billing.subscriptions.planner import ChangeTiming, WantedChange
from app.error_codes import ErrorCode
from tests.billing.subscriptions.choices import (
    ANALYTICS,
    COMPUTE,
    MESSAGING,
    YEAR,
    choice,
    plan_named,
    with_plan,
)
from tests.billing.subscriptions.plans_made import (
    STARTER_4,
    at_once,
    at_the_end,
    planned,
    refusal,
    start_refusal,
)

# what can't be had


@pytest.mark.parametrize("seats", [1, 51, 0])
def test_seats_outside_the_plans_bounds_are_refused_with_them(seats: int) -> None:
    assert refusal(WantedChange(seats=seats)) == (ErrorCode.SEAT_LIMIT, "Team has from 2 to 50 seats.", "seats")


def test_a_plan_without_a_most_names_its_least() -> None:
    team = plan_named(ANALYTICS, "team")
    catalog = with_plan(ANALYTICS, replace(team, seats=replace(team.seats, maximum=None)))

    assert planned(WantedChange(seats=9_000), choice(catalog, "team", 5), catalog).timing is ChangeTiming.IMMEDIATE
    assert refusal(WantedChange(seats=1), choice(catalog, "team", 5), catalog)[1] == "Team has at least 2 seats."


def test_seats_of_a_plan_not_sold_per_seat_are_those_it_includes() -> None:
    assert planned(WantedChange(plan_code="personal", seats=1)).result == choice(ANALYTICS, "personal", 1)
    assert refusal(WantedChange(plan_code="personal", seats=2)) == (
        ErrorCode.SEAT_LIMIT,
        "Personal has 1 seat, no more and no fewer.",
        "seats",
    )


def test_what_stays_as_it_is_may_be_outside_the_bounds() -> None:
    present = choice(MESSAGING, "starter", 12, phone_numbers=120)
    wanted = WantedChange(interval=YEAR, seats=12, add_ons={"phone-numbers": 120})

    assert planned(wanted, present, MESSAGING).result == choice(MESSAGING, "starter", 12, YEAR, phone_numbers=120)


def test_an_unknown_plan_is_refused() -> None:
    assert refusal(WantedChange(plan_code="gold")) == (
        ErrorCode.PLAN_UNAVAILABLE,
        "There is no such plan to choose.",
        "planCode",
    )


def test_a_legacy_plan_is_refused() -> None:
    assert refusal(WantedChange(plan_code="essential"), choice(COMPUTE, "professional", 6), COMPUTE) == (
        ErrorCode.PLAN_UNAVAILABLE,
        "Essential is not sold any more.",
        "planCode",
    )


def test_an_enterprise_plan_is_refused_with_whom_to_talk_to() -> None:
    expected = (
        ErrorCode.NOT_SELF_SERVE,
        "Enterprise is sold by contract. Talk to sales: https://example.com/analytics/contact-sales",
        "planCode",
    )

    assert refusal(WantedChange(plan_code="enterprise")) == expected


@pytest.mark.parametrize(
    "wanted", [WantedChange(seats=9), WantedChange(plan_code="team"), WantedChange(plan_code="free")]
)
def test_who_is_on_a_plan_by_contract_neither_changes_nor_leaves_it(wanted: WantedChange) -> None:
    said = "This workspace is on Enterprise, by contract. To change that, talk to sales: https://example.com/analytics/contact-sales"

    assert refusal(wanted, choice(ANALYTICS, "enterprise", 1_000)) == (ErrorCode.NOT_SELF_SERVE, said, None)


def test_an_interval_that_the_plan_is_not_sold_by_is_refused() -> None:
    business = plan_named(ANALYTICS, "business")
    monthly_only = with_plan(ANALYTICS, replace(business, prices=business.prices[:1]))
    expected = (ErrorCode.PLAN_UNAVAILABLE, "Business is not billed yearly.", "interval")

    assert refusal(WantedChange(plan_code="business", interval=YEAR), catalog=monthly_only) == expected
    assert refusal(WantedChange(interval=YEAR), choice(monthly_only, "business", 5), monthly_only) == expected
    # also where it would stay so
    assert refusal(WantedChange(plan_code="business"), choice(ANALYTICS, "team", 5, YEAR), monthly_only) == expected


@pytest.mark.parametrize("quantity", [0, 1])
def test_an_unknown_add_on_is_refused(quantity: int) -> None:
    assert refusal(WantedChange(add_ons={"fax": quantity})) == (
        ErrorCode.INVALID_INPUT,
        "There is no add-on 'fax'.",
        "addOns",
    )


@pytest.mark.parametrize("quantity", [0, 1])
@pytest.mark.parametrize("code", ["starter", "inactive"])
def test_an_add_on_that_the_plan_does_not_offer_is_refused(code: str, quantity: int) -> None:
    plan = replace(plan_named(MESSAGING, code), add_ons=())
    catalog = with_plan(MESSAGING, plan)
    wanted = WantedChange(plan_code=code, add_ons={"phone-numbers": quantity})

    assert refusal(wanted, choice(MESSAGING, "business", 2, phone_numbers=1), catalog) == (
        ErrorCode.INVALID_INPUT,
        f"{plan.name} can't be had with this add-on: Phone number.",
        "addOns",
    )


def test_more_of_an_add_on_than_its_maximum_is_refused_with_it() -> None:
    assert refusal(WantedChange(add_ons={"phone-numbers": 101}), STARTER_4, MESSAGING) == (
        ErrorCode.INVALID_INPUT,
        "Phone number: at most 100.",
        "addOns",
    )


def test_add_ons_that_are_not_named_are_not_lowered_to_the_new_plans_maximum() -> None:
    business = plan_named(MESSAGING, "business")
    catalog = with_plan(MESSAGING, replace(business, add_ons=(replace(business.add_ons[0], maximum=1),)))

    assert refusal(WantedChange(plan_code="business"), STARTER_4, catalog)[1] == "Phone number: at most 1."
    assert planned(WantedChange(plan_code="business", add_ons={"phone-numbers": 1}), STARTER_4, catalog) == at_the_end(
        choice(catalog, "business", 4, phone_numbers=1)
    )


@pytest.mark.parametrize("code", ["business", "starter"])
def test_an_add_on_that_the_new_plan_does_not_offer_goes_with_the_old_plan(code: str) -> None:
    other = {"business": "starter", "starter": "business"}[code]
    catalog = with_plan(MESSAGING, replace(plan_named(MESSAGING, code), add_ons=()))

    change = planned(WantedChange(plan_code=code), choice(MESSAGING, other, 4, phone_numbers=2), catalog)

    expected = choice(catalog, code, 4)
    assert change == (at_once(expected) if code == "business" else at_the_end(expected))


@pytest.mark.parametrize(
    ("wanted", "at_fault"),
    [(WantedChange(seats=-1), "seats"), (WantedChange(add_ons={"phone-numbers": -1}), "addOns")],
)
def test_negative_numbers_are_refused(wanted: WantedChange, at_fault: str) -> None:
    told = (ErrorCode.INVALID_INPUT, "A number of seats or add-ons can't be below zero.", at_fault)

    assert refusal(wanted, STARTER_4, MESSAGING) == told
    assert start_refusal(replace(wanted, plan_code="starter"), MESSAGING) == told
