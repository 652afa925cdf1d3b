"""Seats for accepted invitations, and add-ons as a server counts them: added beside what is decided, which stays."""

from __future__ import annotations

import pytest

from app.billing.subscriptions.additions import WantedQuantity, plan_quantity, room_for_seats, with_seats
from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.plan_choice import PlanChoice
from app.billing.subscriptions.planner import ChangeTiming, PlannedChange
from app.errors import DomainError
from tests.billing.subscriptions.choices import ANALYTICS, MESSAGING, YEAR, choice

_BUSINESS = choice(MESSAGING, "business", 5, phone_numbers=3)
_STARTER = choice(MESSAGING, "starter", 4, phone_numbers=3)
_NOTHING = Goal(None)
_ENDS = Goal(None, ends=True)


def _planned(
    quantity: int, present: PlanChoice = _BUSINESS, decided: Goal = _NOTHING, **more: int | bool | None
) -> PlannedChange:
    wanted = WantedQuantity("phone-numbers", quantity, **more)  # type: ignore[arg-type]
    return plan_quantity(MESSAGING, present, decided, wanted, used_seats=1)


def _refusal(
    quantity: int, present: PlanChoice = _BUSINESS, decided: Goal = _NOTHING, **more: int | bool | None
) -> DomainError:
    with pytest.raises(DomainError) as refused:
        _planned(quantity, present, decided, **more)
    return refused.value


def _with(quantity: int, plan: str = "business", seats: int = 5) -> PlanChoice:
    return choice(MESSAGING, plan, seats, phone_numbers=quantity)


# seats for accepted invitations


def test_a_seat_is_added_to_the_present_and_to_the_downgrade_that_waits() -> None:
    assert with_seats(_BUSINESS, Goal(None, later=_STARTER), 2) == Goal(
        choice(MESSAGING, "business", 7, phone_numbers=3), later=choice(MESSAGING, "starter", 6, phone_numbers=3)
    )


def test_invitations_buy_seats_up_to_the_catalogs_cap() -> None:
    cap = MESSAGING.automatic_seats_cap
    assert cap is not None
    assert room_for_seats(MESSAGING, _with(0, seats=cap - 2), _NOTHING) == 2
    assert room_for_seats(MESSAGING, _with(0, seats=cap), _NOTHING) == 0
    assert room_for_seats(MESSAGING, _with(0, seats=cap + 3), _NOTHING) == 0


def test_invitations_buy_no_more_seats_than_the_plan_that_follows_can_have() -> None:
    later = choice(MESSAGING, "starter", 9)
    assert room_for_seats(MESSAGING, _BUSINESS, Goal(None, later=later)) == 1


def test_invitations_buy_no_seats_of_a_subscription_that_ends() -> None:
    assert room_for_seats(MESSAGING, _BUSINESS, _ENDS) == 0


def test_invitations_buy_no_seats_where_the_catalog_does_not_say_so() -> None:
    assert room_for_seats(ANALYTICS, choice(ANALYTICS, "team", 5), _NOTHING) == 0


# add-ons as a server counts them


def test_more_are_at_once() -> None:
    assert _planned(4) == PlannedChange(Goal(_with(4)), ChangeTiming.IMMEDIATE, _with(4))


def test_fewer_are_at_the_periods_end() -> None:
    assert _planned(2) == PlannedChange(Goal(None, later=_with(2)), ChangeTiming.PERIOD_END, _with(2))


def test_more_drop_neither_a_downgrade_nor_the_end() -> None:
    downgrade = Goal(None, later=_STARTER)
    assert _planned(4, decided=downgrade).goal == Goal(_with(4), later=_with(4, "starter", 4))
    assert _planned(4, decided=_ENDS).goal == Goal(_with(4), ends=True)


def test_fewer_join_the_downgrade_that_waits() -> None:
    assert _planned(1, decided=Goal(None, later=_STARTER)).goal == Goal(None, later=_with(1, "starter", 4))


def test_one_more_after_one_was_given_up_takes_that_back_and_charges_nothing() -> None:
    planned = _planned(3, decided=Goal(None, later=_with(2)), expected=2)
    assert planned == PlannedChange(Goal(None), ChangeTiming.IMMEDIATE, _BUSINESS)


def test_more_than_were_given_up_are_charged_only_beyond_what_is_paid_for() -> None:
    assert _planned(5, decided=Goal(None, later=_with(2)), expected=2).goal == Goal(_with(5))


def test_a_yearly_downgrade_keeps_its_interval() -> None:
    yearly = choice(MESSAGING, "business", 5, YEAR, phone_numbers=3)
    monthly = Goal(None, later=_BUSINESS)
    planned = _planned(4, yearly, monthly)
    assert planned.goal == Goal(choice(MESSAGING, "business", 5, YEAR, phone_numbers=4), later=_with(4))


def test_an_owners_own_change_takes_the_place_of_what_waits() -> None:
    assert _planned(4, decided=Goal(None, later=_STARTER), drops_pending=True).goal == Goal(_with(4))


@pytest.mark.parametrize("drops_pending", [True, False])
def test_another_quantity_than_was_expected_is_a_conflict(drops_pending: bool) -> None:
    error = _refusal(4, expected=2, drops_pending=drops_pending)
    assert (error.code, error.path) == ("CONFLICT", ("input", "expectedQuantity"))
    assert "There are 3" in error.message
    assert _planned(4, expected=3, drops_pending=drops_pending).goal.now == _with(4)


def test_who_gives_up_the_next_one_expects_one_less() -> None:
    given_up = Goal(None, later=_with(2))
    assert _refusal(2, decided=given_up, expected=3).code == "CONFLICT"
    assert _planned(1, decided=given_up, expected=2).goal == Goal(None, later=_with(1))


@pytest.mark.parametrize(
    ("quantity", "decided"), [(3, _NOTHING), (2, Goal(None, later=_with(2))), (3, _ENDS), (1, _ENDS)]
)
def test_what_is_so_already_is_no_change(quantity: int, decided: Goal) -> None:
    assert _refusal(quantity, decided=decided).code == "NO_CHANGE"


@pytest.mark.parametrize("drops_pending", [True, False])
def test_quantities_are_none_or_more_and_at_most_what_the_add_on_allows(drops_pending: bool) -> None:
    for quantity in (-1, 101):
        error = _refusal(quantity, drops_pending=drops_pending)
        assert (error.code, error.path) == ("INVALID_INPUT", ("input", "quantity"))


@pytest.mark.parametrize("drops_pending", [True, False])
def test_an_add_on_that_the_plan_can_not_be_had_with_is_refused(drops_pending: bool) -> None:
    wanted = WantedQuantity("fax", 1, drops_pending=drops_pending)
    with pytest.raises(DomainError) as refused:
        plan_quantity(MESSAGING, _BUSINESS, _NOTHING, wanted, used_seats=1)
    assert refused.value.path == ("input", "addOnCode")
