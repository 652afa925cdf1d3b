"""What is made at once, what at the period's end, and what becomes of what was decided before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.plan_choice import PlanChoice
from app.billing.subscriptions.planner import ChangeTiming, PlannedChange, WantedChange
from app.catalog import BillingInterval, Catalog, plan_terms
from app.error_codes import ErrorCode
from app.money import Money
from tests.billing.subscriptions.choices import (
    ANALYTICS,
    COMPUTE,
    FAX,
    MESSAGING,
    MONTH,
    YEAR,
    choice,
    plan_named,
    with_plan,
)
from tests.billing.subscriptions.plans_made import (
    ENDS,
    STARTER_4,
    TEAM_5,
    at_once,
    at_the_end,
    mixed,
    planned,
    refusal,
)

# what rises, and what falls


def test_a_higher_plan_is_at_once() -> None:
    assert planned(WantedChange(plan_code="business")) == at_once(choice(ANALYTICS, "business", 5))


def test_yearly_instead_of_monthly_is_at_once() -> None:
    assert planned(WantedChange(interval=YEAR)) == at_once(choice(ANALYTICS, "team", 5, YEAR))


def test_more_seats_are_at_once() -> None:
    assert planned(WantedChange(seats=6)) == at_once(choice(ANALYTICS, "team", 6))


def test_more_add_ons_are_at_once() -> None:
    assert planned(WantedChange(add_ons={"phone-numbers": 3}), STARTER_4, MESSAGING) == at_once(
        choice(MESSAGING, "starter", 4, phone_numbers=3)
    )


def test_a_lower_plan_is_at_the_periods_end() -> None:
    assert planned(WantedChange(plan_code="personal")) == at_the_end(choice(ANALYTICS, "personal", 1))


def test_monthly_instead_of_yearly_is_at_the_periods_end() -> None:
    assert planned(WantedChange(interval=MONTH), choice(ANALYTICS, "team", 5, YEAR)) == at_the_end(TEAM_5)


def test_fewer_seats_are_at_the_periods_end() -> None:
    assert planned(WantedChange(seats=4)) == at_the_end(choice(ANALYTICS, "team", 4))


@pytest.mark.parametrize("left", [1, 0])
def test_fewer_add_ons_are_at_the_periods_end(left: int) -> None:
    assert planned(WantedChange(add_ons={"phone-numbers": left}), STARTER_4, MESSAGING) == at_the_end(
        choice(MESSAGING, "starter", 4, phone_numbers=left)
    )


def test_a_lower_plan_makes_the_whole_change_a_downgrade() -> None:
    wanted = WantedChange(plan_code="starter", interval=YEAR, seats=9, add_ons={"phone-numbers": 7})

    assert planned(wanted, choice(MESSAGING, "business", 4, phone_numbers=2), MESSAGING) == at_the_end(
        choice(MESSAGING, "starter", 9, YEAR, phone_numbers=7)
    )


def test_in_a_mixed_change_each_part_takes_its_own_time() -> None:
    wanted = WantedChange(plan_code="business", seats=3, add_ons={"phone-numbers": 5})

    assert planned(wanted, STARTER_4, MESSAGING) == mixed(
        now=choice(MESSAGING, "business", 4, phone_numbers=5), later=choice(MESSAGING, "business", 3, phone_numbers=5)
    )


def test_a_higher_plan_by_the_month_instead_of_the_year_is_yearly_until_the_periods_end() -> None:
    assert planned(WantedChange(plan_code="business", interval=MONTH), choice(ANALYTICS, "team", 5, YEAR)) == mixed(
        now=choice(ANALYTICS, "business", 5, YEAR), later=choice(ANALYTICS, "business", 5)
    )


def test_more_of_one_add_on_and_fewer_of_another_are_each_at_their_time() -> None:
    starter = plan_named(MESSAGING, "starter")
    catalog = with_plan(MESSAGING, replace(starter, add_ons=(*starter.add_ons, FAX)))
    wanted = WantedChange(add_ons={"fax": 1, "phone-numbers": 5})

    assert planned(wanted, choice(catalog, "starter", 4, phone_numbers=2, fax=3), catalog) == mixed(
        now=choice(catalog, "starter", 4, phone_numbers=5, fax=3),
        later=choice(catalog, "starter", 4, phone_numbers=5, fax=1),
    )


def test_a_higher_plan_that_cant_be_had_at_the_present_interval_waits_for_the_periods_end() -> None:
    business = plan_named(ANALYTICS, "business")
    monthly_only = with_plan(ANALYTICS, replace(business, prices=business.prices[:1]))
    wanted = WantedChange(plan_code="business", interval=MONTH)

    assert planned(wanted, choice(monthly_only, "team", 5, YEAR), monthly_only) == at_the_end(
        choice(monthly_only, "business", 5)
    )


def test_a_higher_plan_with_room_for_fewer_seats_waits_for_the_periods_end() -> None:
    business = plan_named(ANALYTICS, "business")
    small = with_plan(ANALYTICS, replace(business, seats=replace(business.seats, minimum=1, maximum=4)))

    assert planned(WantedChange(plan_code="business"), catalog=small) == at_the_end(choice(small, "business", 4))


def test_a_plans_place_among_the_others_is_that_of_today() -> None:
    # when it was bought, Team stood above Business
    old = replace(TEAM_5, terms=replace(TEAM_5.terms, plan=replace(TEAM_5.terms.plan, rank=99)))

    assert planned(WantedChange(plan_code="business"), old).timing is ChangeTiming.IMMEDIATE


# terms


def _old_team() -> tuple[Catalog, PlanChoice]:
    """A catalog that sells Team for more by now, and five seats of it at the old price."""
    team = plan_named(ANALYTICS, "team")
    prices = tuple(replace(price, per_seat=Money(price.per_seat.minor + 100, "EUR")) for price in team.prices)
    return with_plan(ANALYTICS, replace(team, prices=prices)), TEAM_5


@pytest.mark.parametrize("code", [None, "team"])
def test_while_the_plan_stays_its_terms_stay(code: str | None) -> None:
    today, present = _old_team()

    more = planned(WantedChange(plan_code=code, seats=7, interval=YEAR), present, today)

    assert more.result is not None
    assert more.result.terms == present.terms


def test_another_plan_is_had_on_todays_terms() -> None:
    today, _ = _old_team()

    up = planned(WantedChange(plan_code="team", seats=5), choice(ANALYTICS, "personal", 1), today)

    assert up.result is not None
    assert up.result.terms == plan_terms(today, plan_named(today, "team")) != TEAM_5.terms


def test_a_plan_that_is_not_sold_any_more_keeps_changing_for_those_who_have_it() -> None:
    professional = choice(COMPUTE, "professional", 6)

    assert planned(WantedChange(plan_code="professional", seats=8), professional, COMPUTE) == at_once(
        choice(COMPUTE, "professional", 8)
    )


# seats that are not named


def test_seats_not_named_are_as_many_as_now() -> None:
    assert planned(WantedChange(plan_code="business"), choice(ANALYTICS, "team", 8)).result == choice(
        ANALYTICS, "business", 8
    )


def test_seats_not_named_are_raised_to_the_new_plans_minimum() -> None:
    assert planned(WantedChange(plan_code="team"), choice(ANALYTICS, "personal", 1)) == at_once(
        choice(ANALYTICS, "team", 2)
    )


def test_seats_not_named_are_lowered_to_the_new_plans_maximum() -> None:
    present = choice(ANALYTICS, "business", 80)

    assert planned(WantedChange(plan_code="team"), present) == at_the_end(choice(ANALYTICS, "team", 50))


def test_a_plan_not_sold_per_seat_has_the_seats_it_includes() -> None:
    assert planned(WantedChange(plan_code="personal")).result == choice(ANALYTICS, "personal", 1)


# members who hold a seat


def test_seats_never_fall_below_the_members_who_hold_one() -> None:
    assert planned(WantedChange(seats=3), used=3).result == choice(ANALYTICS, "team", 3)
    assert refusal(WantedChange(seats=3), used=4) == (
        ErrorCode.SEATS_IN_USE,
        "4 members hold a seat: remove members first, or choose more seats.",
        "seats",
    )


def test_a_plan_that_cant_have_so_many_seats_says_how_many_hold_one() -> None:
    expected = (
        ErrorCode.SEATS_IN_USE,
        "2 members hold a seat, and Personal can't have so many: remove members first.",
        "planCode",
    )

    assert refusal(WantedChange(plan_code="personal"), used=2) == expected
    assert refusal(WantedChange(plan_code="personal", seats=1), used=2) == expected


def test_members_beyond_the_seats_hold_none() -> None:
    # nine members share five seats: four can only read
    assert planned(WantedChange(seats=6), used=9) == at_once(choice(ANALYTICS, "team", 6))
    assert planned(WantedChange(interval=YEAR), used=9) == at_once(choice(ANALYTICS, "team", 5, YEAR))
    assert refusal(WantedChange(seats=4), used=9)[:2] == (
        ErrorCode.SEATS_IN_USE,
        "5 members hold a seat: remove members first, or choose more seats.",
    )


# the fallback plan


def test_choosing_the_fallback_plan_ends_the_subscription_with_its_period() -> None:
    assert planned(WantedChange(plan_code="free")) == ENDS


@pytest.mark.parametrize("interval", BillingInterval)
def test_an_interval_says_nothing_of_a_plan_without_a_price(interval: BillingInterval) -> None:
    assert planned(WantedChange(plan_code="free", interval=interval)) == ENDS


def test_another_plan_without_a_recurring_price_ends_the_subscription_too() -> None:
    lite = replace(plan_named(ANALYTICS, "free"), code="lite", name="Lite", rank=1)

    assert planned(WantedChange(plan_code="lite"), catalog=with_plan(ANALYTICS, lite)) == ENDS


def test_members_are_kept_when_the_subscription_ends() -> None:
    assert planned(WantedChange(plan_code="free"), used=5) == ENDS


def test_the_fallback_plan_has_the_seats_it_includes() -> None:
    assert planned(WantedChange(plan_code="free", seats=1)) == ENDS
    assert refusal(WantedChange(plan_code="free", seats=5))[:2] == (
        ErrorCode.SEAT_LIMIT,
        "Free has 1 seat, no more and no fewer.",
    )


# what is decided for later


DOWN = Goal(None, later=choice(ANALYTICS, "personal", 1))
FEWER = Goal(None, later=choice(ANALYTICS, "team", 3))
END = Goal(None, ends=True)


@pytest.mark.parametrize(
    "wanted",
    [
        WantedChange(),
        WantedChange(plan_code="team"),
        WantedChange(plan_code="team", interval=MONTH, seats=5, add_ons={}),
    ],
)
def test_what_equals_the_present_is_no_change(wanted: WantedChange) -> None:
    told = (ErrorCode.NO_CHANGE, "This is what the workspace has, or what is decided for it already.", None)

    assert refusal(wanted) == told
    assert refusal(wanted, pending=Goal(None)) == told


@pytest.mark.parametrize("pending", [DOWN, FEWER, END])
@pytest.mark.parametrize("wanted", [WantedChange(seats=5), WantedChange(plan_code="team")])
def test_what_equals_the_present_takes_the_pending_change_back(wanted: WantedChange, pending: Goal) -> None:
    assert planned(wanted, pending=pending) == PlannedChange(Goal(None), ChangeTiming.IMMEDIATE, TEAM_5)


@pytest.mark.parametrize(
    ("wanted", "pending"),
    [
        (WantedChange(plan_code="personal"), DOWN),
        (WantedChange(seats=3), FEWER),
        (WantedChange(plan_code="free"), END),
    ],
)
def test_what_is_pending_already_is_no_change(wanted: WantedChange, pending: Goal) -> None:
    assert refusal(wanted, pending=pending)[0] is ErrorCode.NO_CHANGE


@pytest.mark.parametrize("pending", [DOWN, FEWER, END])
def test_a_later_change_replaces_a_pending_one_and_does_not_add_to_it(pending: Goal) -> None:
    assert planned(WantedChange(seats=4), pending=pending) == at_the_end(choice(ANALYTICS, "team", 4))
    assert planned(WantedChange(interval=YEAR), pending=pending) == at_once(choice(ANALYTICS, "team", 5, YEAR))


@pytest.mark.parametrize("pending", [DOWN, FEWER])
def test_an_end_replaces_a_pending_change(pending: Goal) -> None:
    assert planned(WantedChange(plan_code="free"), pending=pending) == ENDS


def test_an_upgrade_is_a_change_though_its_later_part_is_pending_already() -> None:
    yearly = choice(ANALYTICS, "team", 5, YEAR)
    wanted = WantedChange(interval=YEAR, seats=3)
    later = choice(ANALYTICS, "team", 3, YEAR)

    assert planned(wanted, pending=Goal(None, later=later)) == mixed(now=yearly, later=later)
