"""What a change of a subscription comes to: what of it is made at once, what at the period's end, and what can't be had. Pure.

What rises is at once, what falls is at the period's end. Preview and change are planned here alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.billing.subscriptions.plan_refusals import (
    ADD_ONS,
    AddOnUnavailable,
    NegativeNumber,
    NothingToChange,
    NotSelfServe,
    Path,
    PlanNotNamed,
    PlanUnavailable,
    SeatLimit,
    SeatsHeld,
)
from app.catalog import (
    AddOn,
    AddOnQuantity,
    BillingInterval,
    Catalog,
    Plan,
    PlanKind,
    PlanTerms,
    SeatPolicy,
    plan_terms,
)


@dataclass(frozen=True, slots=True)
class WantedChange:
    """What somebody wants of a subscription; what is None stays as it is. `add_ons` sets those that it names."""

    plan_code: str | None = None
    interval: BillingInterval | None = None
    seats: int | None = None
    add_ons: Mapping[str, int] | None = None


class ChangeTiming(StrEnum):
    """When a change takes effect: at once, at the period's end, or a part of it at each."""

    IMMEDIATE = "IMMEDIATE"
    PERIOD_END = "PERIOD_END"
    MIXED = "MIXED"


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What a change comes to. `goal.now` is None where nothing is charged now.

    `result` is what the subscription is once all of it is in effect; None: it has ended, and the fallback plan is left.
    """

    goal: Goal
    timing: ChangeTiming
    result: PlanChoice | None


def plan_change(
    catalog: Catalog,
    present: PlanChoice,
    wanted: WantedChange,
    *,
    used_seats: int,
    pending: Goal | None,
) -> PlannedChange:
    """Plan a change of the present subscription. `pending` is what is decided for later: a change replaces it.

    What equals the present takes the pending change back. Raises the errors of `plan_refusals`: `NothingToChange` where nothing
    would be other than it is or will be.
    """
    _require_numbers(wanted)
    terms = _terms_wanted(catalog, present.terms, wanted.plan_code)
    if not terms.plan.prices:
        planned = _end(catalog, terms.plan, wanted)
    else:
        result = _result(catalog, present, terms, wanted)
        _require_seats_for_holders(present, result, used_seats, is_named=wanted.seats is not None)
        planned = _timed(catalog, present, result)
    goal = planned.goal
    decided = pending if pending is not None else Goal(None)
    if goal.now is None and (goal.later, goal.ends) == (decided.later, decided.ends):
        raise NothingToChange
    return planned


def plan_start(catalog: Catalog, wanted: WantedChange, *, used_seats: int) -> PlanChoice:
    """Plan the first paid plan of a workspace, on today's terms.

    Without an interval it is billed monthly, or yearly where it is not sold monthly; without a number of seats it has as many as
    are used, at least the plan's minimum. Raises the errors of `plan_refusals`.
    """
    _require_numbers(wanted)
    terms = _terms_for_sale(catalog, wanted.plan_code)
    plan = terms.plan
    if plan.code == catalog.fallback_plan_code:
        raise NothingToChange
    if not plan.prices:
        raise PlanUnavailable.without_price(plan)
    interval = wanted.interval or _usual_interval(plan)
    nothing = PlanChoice(terms, interval, seats=used_seats)
    result = PlanChoice(
        terms=terms,
        interval=_interval(plan, interval),
        seats=_seats(plan, wanted.seats, used_seats, is_kept=False),
        add_ons=_add_ons(catalog, nothing, terms, wanted.add_ons or {}),
    )
    _require_seats_for_holders(nothing, result, used_seats, is_named=wanted.seats is not None)
    return result


def require_no_contract(plan: Plan) -> None:
    """Raise `NotSelfServe` for a plan that is sold by contract: its customers neither change nor cancel it by themselves."""
    if plan.kind is PlanKind.ENTERPRISE:
        raise NotSelfServe.present(plan)


def _require_numbers(wanted: WantedChange) -> None:
    if wanted.seats is not None and wanted.seats < 0:
        raise NegativeNumber.of_seats()
    if any(quantity < 0 for quantity in (wanted.add_ons or {}).values()):
        raise NegativeNumber.of_add_ons()


def _terms_wanted(catalog: Catalog, present: PlanTerms, plan_code: str | None) -> PlanTerms:
    """The present terms while the plan stays, whatever it is sold for by now; of another plan those of today.

    What was sold by contract is changed and left by contract.
    """
    require_no_contract(present.plan)
    if plan_code is None or plan_code == present.plan.code:
        return present
    return _terms_for_sale(catalog, plan_code)


def _terms_for_sale(catalog: Catalog, plan_code: str | None) -> PlanTerms:
    if plan_code is None:
        raise PlanNotNamed
    plan = catalog.plan(plan_code)
    if plan is None:
        raise PlanUnavailable.unknown()
    if plan.is_legacy:
        raise PlanUnavailable.legacy(plan)
    if plan.kind is PlanKind.ENTERPRISE:
        raise NotSelfServe.plan(plan)
    return plan_terms(catalog, plan)


def _end(catalog: Catalog, plan: Plan, wanted: WantedChange) -> PlannedChange:
    """A plan without a recurring price needs no subscription: it ends with its period, however many members there are."""
    if wanted.seats is not None:
        _seats(plan, wanted.seats, wanted.seats, is_kept=False)
    for code in wanted.add_ons or {}:
        require_offered(catalog, plan, code)
    return PlannedChange(Goal(None, ends=True), ChangeTiming.PERIOD_END, None)


def _result(catalog: Catalog, present: PlanChoice, terms: PlanTerms, wanted: WantedChange) -> PlanChoice:
    plan, is_kept = terms.plan, terms.id == present.terms.id
    interval = wanted.interval or present.interval or _usual_interval(plan)
    return PlanChoice(
        terms=terms,
        interval=_interval(plan, interval),
        seats=_seats(plan, wanted.seats, present.seats, is_kept=is_kept),
        add_ons=_add_ons(catalog, present, terms, wanted.add_ons or {}),
    )


def _usual_interval(plan: Plan) -> BillingInterval:
    return BillingInterval.MONTH if plan.price(BillingInterval.MONTH) is not None else BillingInterval.YEAR


def _interval(plan: Plan, interval: BillingInterval) -> BillingInterval:
    if plan.price(interval) is None:
        raise PlanUnavailable.interval(plan, interval)
    return interval


def _seats(plan: Plan, wanted: int | None, present: int, *, is_kept: bool) -> int:
    """How many seats there will be. What stays as it is on a plan that is kept is not judged."""
    if is_kept and wanted in (None, present):
        return present
    if wanted is None:
        return _within(plan.seats, present)
    if wanted != _within(plan.seats, wanted):
        raise SeatLimit.bounds(plan)
    return wanted


def _within(policy: SeatPolicy, seats: int) -> int:
    """The nearest number of seats that a plan can have."""
    if not policy.is_per_seat:
        return policy.included
    raised = max(seats, policy.minimum)
    return raised if policy.maximum is None else min(raised, policy.maximum)


def _add_ons(
    catalog: Catalog, present: PlanChoice, terms: PlanTerms, wanted: Mapping[str, int]
) -> tuple[AddOnQuantity, ...]:
    """How many of each add-on there will be: those that are not named stay, unless the plan can't be had with them."""
    plan, is_kept = terms.plan, terms.id == present.terms.id
    for code in wanted:
        require_offered(catalog, plan, code)
    had = {each.code: each.quantity for each in present.add_ons if plan.add_on(each.code) is not None}
    quantities = {**had, **wanted}
    for code, quantity in quantities.items():
        add_on = plan.add_on(code)
        stays = is_kept and quantity == had.get(code)
        if add_on is not None and add_on.maximum is not None and quantity > add_on.maximum and not stays:
            raise AddOnUnavailable.above(add_on.maximum, add_on)
    return add_on_quantities(quantities)


def require_offered(catalog: Catalog, plan: Plan, code: str, *, path: Path = ADD_ONS) -> AddOn:
    """The add-on of a plan; raises `AddOnUnavailable` where the plan can't be had with it. `path` is the input at fault."""
    add_on = plan.add_on(code)
    if add_on is not None:
        return add_on
    known = next((each for each in catalog.add_ons if each.code == code), None)
    if known is None:
        raise AddOnUnavailable.unknown(code, path=path)
    raise AddOnUnavailable.not_offered(known.name, plan, path=path)


def _require_seats_for_holders(present: PlanChoice, result: PlanChoice, used_seats: int, *, is_named: bool) -> None:
    """Seats never fall below the members who hold one; of members beyond the present seats none does."""
    holders = min(used_seats, present.seats)
    plan = result.terms.plan
    if result.seats < holders and is_named and holders <= _within(plan.seats, holders):
        raise SeatsHeld.by_more(holders)
    if result.seats < holders:
        raise SeatsHeld.by_too_many(holders, plan)


def _timed(catalog: Catalog, present: PlanChoice, result: PlanChoice) -> PlannedChange:
    """The parts of a change at their times. With a lower plan, all of it waits for the period's end."""
    now = None if _is_lower(catalog, present, result) else _risen(present, result)
    if now is None or now == present:
        return _all_at_once(present, result) if result == present else _all_later(result)
    if now == result:
        return _all_at_once(present, result)
    return PlannedChange(Goal(now, later=result), ChangeTiming.MIXED, result)


def _all_at_once(present: PlanChoice, result: PlanChoice) -> PlannedChange:
    return PlannedChange(Goal(result if result != present else None), ChangeTiming.IMMEDIATE, result)


def _all_later(result: PlanChoice) -> PlannedChange:
    return PlannedChange(Goal(None, later=result), ChangeTiming.PERIOD_END, result)


def _is_lower(catalog: Catalog, present: PlanChoice, result: PlanChoice) -> bool:
    return _rank(catalog, result.terms.plan) < _rank(catalog, present.terms.plan)


def _rank(catalog: Catalog, plan: Plan) -> int:
    """Where a plan stands today: ranks are no part of what was bought, so those of kept terms may be out of date."""
    today = catalog.plan(plan.code)
    return today.rank if today is not None else plan.rank


def _risen(present: PlanChoice, result: PlanChoice) -> PlanChoice | None:
    """The present with what rises in the result, and nothing fallen but the add-ons that the result's plan can't be had with.

    None where its plan can't be had so, at the present interval or with as many seats or add-ons: then nothing is at once.
    """
    plan = result.terms.plan
    is_yearly = BillingInterval.YEAR in (present.interval, result.interval)
    seats = max(present.seats, result.seats)
    quantities = {
        code: max(present.quantity_of(code), result.quantity_of(code))
        for code in {each.code for each in (*present.add_ons, *result.add_ons)}
        if plan.add_on(code) is not None
    }
    risen = PlanChoice(
        terms=result.terms,
        interval=BillingInterval.YEAR if is_yearly else result.interval,
        seats=seats,
        add_ons=add_on_quantities(quantities),
    )
    return risen if result.terms.id == present.terms.id or _can_be_had(risen) else None


def _can_be_had(choice: PlanChoice) -> bool:
    plan = choice.terms.plan
    bounds = ((each, plan.add_on(each.code)) for each in choice.add_ons)
    return (
        choice.interval is not None
        and plan.price(choice.interval) is not None
        and choice.seats == _within(plan.seats, choice.seats)
        and all(add_on and (add_on.maximum is None or each.quantity <= add_on.maximum) for each, add_on in bounds)
    )
