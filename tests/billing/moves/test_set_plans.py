"""What an operator's order comes to: the catalog's own terms, or terms that are one workspace's alone."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from app.billing.moves.set_plans import PlanOrder, choice_to_set
from app.billing.subscriptions.plan_refusals import AddOnUnavailable, PlanUnavailable, SeatLimit, SeatsHeld
from app.catalog import BillingInterval, PlanKind, plan_from_terms, plan_terms, terms_of
from app.errors import InvalidInput
from app.money import Money
from tests.billing.subscriptions.choices import ANALYTICS, MESSAGING, plan_named

_WORKSPACE = uuid4()
_500 = Money(50_000, "USD")


def test_without_anything_of_its_own_the_terms_are_the_catalogs() -> None:
    choice = choice_to_set(ANALYTICS, _WORKSPACE, PlanOrder(plan_code="team", seats=4), used_seats=1)

    assert choice.terms == plan_terms(ANALYTICS, plan_named(ANALYTICS, "team"))
    assert (choice.interval, choice.seats) == (BillingInterval.MONTH, 4)


def test_with_a_price_of_its_own_the_terms_are_the_workspaces_alone() -> None:
    order = PlanOrder(plan_code="enterprise", base=_500, seats=30)

    mine = choice_to_set(MESSAGING, _WORKSPACE, order, used_seats=1)
    others = choice_to_set(MESSAGING, uuid4(), order, used_seats=1)

    assert mine.terms.workspace_id == _WORKSPACE
    assert mine.terms.id != others.terms.id
    assert mine.terms.plan == others.terms.plan
    assert mine.terms.id == choice_to_set(MESSAGING, _WORKSPACE, order, used_seats=1).terms.id
    assert plan_from_terms(terms_of(mine.terms.plan)) == mine.terms.plan


def test_a_plan_without_any_price_has_no_interval_and_is_given() -> None:
    choice = choice_to_set(MESSAGING, _WORKSPACE, PlanOrder(plan_code="enterprise"), used_seats=1)

    assert choice.interval is None
    assert choice.terms.plan.kind is PlanKind.ENTERPRISE


def test_a_price_per_seat_makes_every_seat_a_billed_one() -> None:
    order = PlanOrder(plan_code="enterprise", per_seat=Money(2_000, "USD"), seats=40, interval=BillingInterval.YEAR)
    choice = choice_to_set(MESSAGING, _WORKSPACE, order, used_seats=1)

    assert (choice.interval, choice.seats) == (BillingInterval.YEAR, 40)
    assert choice.terms.plan.seats.billable(40) == 40


def test_limits_replace_what_is_included_and_leave_the_others() -> None:
    known = plan_named(ANALYTICS, "team").allowances
    code = known[0].resource
    choice = choice_to_set(ANALYTICS, _WORKSPACE, PlanOrder(plan_code="team", limits={code: Decimal(7)}), used_seats=1)

    found = choice.terms.plan.allowance(code)
    assert found is not None
    assert (found.limit, found.credits_per_unit) == (Decimal(7), known[0].credits_per_unit)
    assert {each for each in choice.terms.plan.allowances if each.resource != code} == set(known[1:])


def test_seats_are_never_set_below_the_members_who_hold_one() -> None:
    with pytest.raises(SeatsHeld):
        choice_to_set(ANALYTICS, _WORKSPACE, PlanOrder(plan_code="team", seats=3), used_seats=4)
    with pytest.raises(SeatsHeld):
        choice_to_set(ANALYTICS, _WORKSPACE, PlanOrder(plan_code="personal"), used_seats=4)


def test_falling_to_a_plan_without_a_price_keeps_the_members() -> None:
    assert choice_to_set(ANALYTICS, _WORKSPACE, PlanOrder(plan_code="free"), used_seats=4).seats < 4


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (PlanOrder(plan_code="nothing"), InvalidInput),
        (PlanOrder(plan_code="enterprise", interval=BillingInterval.MONTH), PlanUnavailable),
        (PlanOrder(plan_code="enterprise", seats=0), SeatLimit),
        (PlanOrder(plan_code="enterprise", base=Money(0, "USD")), InvalidInput),
        (PlanOrder(plan_code="enterprise", limits={"hats": None}), InvalidInput),
        (PlanOrder(plan_code="business", add_ons={"hats": 1}), AddOnUnavailable),
    ],
)
def test_what_can_not_be_had_is_refused(order: PlanOrder, error: type[Exception]) -> None:
    with pytest.raises(error):
        choice_to_set(MESSAGING, _WORKSPACE, order, used_seats=1)
