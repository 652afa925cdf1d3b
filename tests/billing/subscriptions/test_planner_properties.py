"""What holds of every planned change, whatever is wanted of whatever plan."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.billing.subscriptions.plan_refusals import NothingToChange
from app.billing.subscriptions.planner import ChangeTiming, PlannedChange, WantedChange, plan_change, plan_start
from app.catalog import BillingInterval, Catalog, Plan, PlanKind, plan_terms
from app.errors import DomainError
from tests.billing.subscriptions.choices import ANALYTICS, COMPUTE, FAX, MESSAGING, plan_named, with_plan


def _many_kinds_of_plans() -> Catalog:
    """The messaging catalog with plans that differ in all that a change must mind: bounds, intervals, add-ons."""
    starter, business = (plan_named(MESSAGING, code) for code in ("starter", "business"))
    fewer = replace(business.add_ons[0], maximum=3)
    kinds = [
        replace(starter, add_ons=(*starter.add_ons, FAX)),
        replace(business, code="monthly", name="Monthly", rank=21, prices=business.prices[:1], add_ons=()),
        replace(business, code="small", name="Small", rank=22, seats=replace(business.seats, minimum=2, maximum=4)),
        replace(business, code="few", name="Few", rank=12, add_ons=(fewer,)),
        replace(plan_named(ANALYTICS, "personal"), code="solo", name="Solo", rank=13),
        replace(plan_named(ANALYTICS, "personal"), code="grand", name="Grand", rank=25),
    ]
    catalog = replace(MESSAGING, add_ons=(*MESSAGING.add_ons, FAX))
    for plan in kinds:
        catalog = with_plan(catalog, plan)
    return catalog


CATALOGS = [ANALYTICS, COMPUTE, MESSAGING, _many_kinds_of_plans()]


@st.composite
def _choices(draw: st.DrawFn, catalog: Catalog) -> PlanChoice:
    """A choice that can be had."""
    plan = draw(st.sampled_from([plan for plan in catalog.plans if plan.prices]))
    interval = draw(st.sampled_from([price.interval for price in plan.prices]))
    most = min(plan.seats.maximum or 12, 12)
    seats = draw(st.integers(plan.seats.minimum, max(plan.seats.minimum, most)))
    quantities = {
        each.code: draw(st.integers(0, min(each.maximum if each.maximum is not None else 6, 6)))
        for each in plan.add_ons
    }
    return PlanChoice(plan_terms(catalog, plan), interval, seats, add_on_quantities(quantities))


@st.composite
def _situations(draw: st.DrawFn) -> tuple[Catalog, PlanChoice, WantedChange, int, Goal | None]:
    catalog = draw(st.sampled_from(CATALOGS))
    present = draw(_choices(catalog))
    wanted = WantedChange(
        plan_code=draw(st.none() | st.sampled_from([*(plan.code for plan in catalog.plans), "gold"])),
        interval=draw(st.none() | st.sampled_from(BillingInterval)),
        seats=draw(st.none() | st.integers(-1, 14)),
        add_ons=draw(
            st.none()
            | st.dictionaries(
                st.sampled_from([*(each.code for each in catalog.add_ons), "stamps"]), st.integers(-1, 8), max_size=2
            )
        ),
    )
    later = _choices(catalog).map(lambda choice: Goal(None, later=choice))
    pending = draw(st.none() | st.just(Goal(None)) | st.just(Goal(None, ends=True)) | later)
    return catalog, present, wanted, draw(st.integers(1, 12)), pending


def _plan(situation: tuple[Catalog, PlanChoice, WantedChange, int, Goal | None]) -> PlannedChange | None:
    catalog, present, wanted, used, pending = situation
    try:
        planned = plan_change(catalog, present, wanted, used_seats=used, pending=pending)
    except DomainError as error:
        event(type(error).__name__)
        return None
    event(planned.timing)
    return planned


def _rank(catalog: Catalog, choice: PlanChoice) -> int:
    return plan_named(catalog, choice.terms.plan.code).rank


def _is_within_bounds(choice: PlanChoice) -> bool:
    plan = choice.terms.plan
    most = plan.seats.maximum if plan.seats.is_per_seat else plan.seats.included
    offered = {each.code: each.maximum for each in plan.add_ons}
    return (
        choice.interval in {price.interval for price in plan.prices}
        and plan.seats.minimum <= choice.seats
        and (most is None or choice.seats <= most)
        and all(each.code in offered for each in choice.add_ons)
        and all(offered[each.code] is None or each.quantity <= (offered[each.code] or 0) for each in choice.add_ons)
    )


@given(_situations())
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_charged_now_falls(
    situation: tuple[Catalog, PlanChoice, WantedChange, int, Goal | None],
) -> None:
    catalog, present, planned = situation[0], situation[1], _plan(situation)
    if planned is None or planned.goal.now is None:
        return
    now = planned.goal.now

    assert _rank(catalog, now) >= _rank(catalog, present)
    assert not (present.interval is BillingInterval.YEAR and now.interval is BillingInterval.MONTH)
    assert now.seats >= present.seats
    for each in present.add_ons:
        # what the new plan can't be had with goes with the old one
        assert now.quantity_of(each.code) >= each.quantity or now.terms.plan.add_on(each.code) is None
    assert now != present
    assert _is_within_bounds(now)


@given(_situations())
@settings(max_examples=300, deadline=None)
def test_the_result_is_what_was_wanted(situation: tuple[Catalog, PlanChoice, WantedChange, int, Goal | None]) -> None:
    catalog, present, wanted, _, _ = situation
    planned = _plan(situation)
    if planned is None:
        return
    result, goal = planned.result, planned.goal
    if result is None:
        assert goal == Goal(None, ends=True)
        assert not plan_named(catalog, wanted.plan_code or "").prices
        return

    assert result.terms.plan.code == (wanted.plan_code or present.terms.plan.code)
    assert result.interval is (wanted.interval or present.interval)
    assert wanted.seats in (None, result.seats)
    assert all(result.quantity_of(code) == quantity for code, quantity in (wanted.add_ons or {}).items())
    assert _is_within_bounds(result)
    assert result == (goal.later or goal.now or present)
    if result.terms.plan == present.terms.plan:
        assert wanted.seats is not None or result.seats == present.seats
        assert all(
            result.quantity_of(each.code) == each.quantity
            for each in present.add_ons
            if each.code not in (wanted.add_ons or {})
        )


@given(_situations())
@settings(max_examples=300, deadline=None)
def test_seats_never_fall_below_those_that_members_hold(
    situation: tuple[Catalog, PlanChoice, WantedChange, int, Goal | None],
) -> None:
    _, present, _, used, _ = situation
    planned = _plan(situation)
    for choice in (planned.goal.now, planned.goal.later, planned.result) if planned is not None else ():
        assert choice is None or choice.seats >= min(used, present.seats)


@given(_situations())
@settings(max_examples=300, deadline=None)
def test_the_timing_tells_what_the_goal_is(
    situation: tuple[Catalog, PlanChoice, WantedChange, int, Goal | None],
) -> None:
    catalog, present, _, _, _ = situation
    planned = _plan(situation)
    if planned is None:
        return
    goal = planned.goal
    waits = goal.later is not None or goal.ends

    assert (
        planned.timing
        is {
            (True, True): ChangeTiming.MIXED,
            (True, False): ChangeTiming.IMMEDIATE,
            (False, True): ChangeTiming.PERIOD_END,
            (False, False): ChangeTiming.IMMEDIATE,
        }[goal.now is not None, waits]
    )
    assert not (goal.later is not None and goal.ends)
    if planned.result is not None and _rank(catalog, planned.result) < _rank(catalog, present):
        assert planned.timing is ChangeTiming.PERIOD_END


@given(_situations())
@settings(max_examples=300, deadline=None)
def test_what_is_decided_is_no_change_when_it_is_wanted_again(
    situation: tuple[Catalog, PlanChoice, WantedChange, int, Goal | None],
) -> None:
    catalog, present, wanted, used, _ = situation
    planned = _plan(situation)
    if planned is None:
        return
    once_made = planned.goal.now or present
    again = (catalog, once_made, wanted, used, replace(planned.goal, now=None))
    try:
        second = plan_change(catalog, once_made, wanted, used_seats=used, pending=again[4])
    except NothingToChange:
        return
    # an add-on that went with the old plan can only be missing; nothing else may differ
    assert second.result == planned.result


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_first_plan_can_be_had_and_seats_all_who_hold_one(data: st.DataObject) -> None:
    catalog, _, wanted, used, _ = data.draw(_situations())
    try:
        start = plan_start(catalog, wanted, used_seats=used)
    except DomainError:
        return
    plan: Plan = start.terms.plan

    assert _is_within_bounds(start)
    assert start.seats >= used
    assert start.terms == plan_terms(catalog, plan_named(catalog, plan.code))
    assert plan.kind is PlanKind.STANDARD
    assert not plan.is_legacy
    assert wanted.interval in (None, start.interval)
