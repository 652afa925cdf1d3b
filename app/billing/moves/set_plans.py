"""What an operator puts a workspace on: any plan of the catalog, with prices and limits of its own where they are given. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.billing.subscriptions.plan_refusals import (
    AddOnUnavailable,
    NegativeNumber,
    PlanUnavailable,
    SeatLimit,
    SeatsHeld,
)
from app.catalog import (
    AddOnQuantity,
    Allowance,
    BillingInterval,
    Catalog,
    Plan,
    PlanPrice,
    SeatPolicy,
    own_terms,
    plan_terms,
)
from app.errors import InvalidInput
from app.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOrder:
    """What an operator orders for a workspace.

    `base` and `per_seat` are prices per interval, `limits` what is included of resources (None: without limit), `spend_limit` the
    most that may be spent on credits a month. What is None is as the catalog has it.
    """

    plan_code: str
    interval: BillingInterval | None = None
    seats: int | None = None
    add_ons: Mapping[str, int] = field(default_factory=dict[str, int])
    base: Money | None = None
    per_seat: Money | None = None
    limits: Mapping[str, Decimal | None] = field(default_factory=dict[str, "Decimal | None"])
    spend_limit: Money | None = None


def choice_to_set(catalog: Catalog, workspace_id: UUID, order: PlanOrder, *, used_seats: int) -> PlanChoice:
    """The choice that an order means. With anything of its own it is on terms that are the workspace's alone.

    Its interval is None where the plan has no price: such a plan is given. Raises the errors of `plan_refusals` and `InvalidInput`.
    """
    listed = catalog.plan(order.plan_code)
    if listed is None:
        known = ", ".join(each.code for each in catalog.plans)
        raise InvalidInput(f"There is no plan {order.plan_code!r}. There are: {known}.")
    plan = _with_own(catalog, listed, order)
    # what binds nobody may differ from the catalog by no order
    terms = (
        plan_terms(catalog, listed) if plan == listed else own_terms(catalog, replace(plan, trial=None), workspace_id)
    )
    choice = PlanChoice(
        terms=terms,
        interval=_interval(plan, order.interval),
        seats=_seats(plan, order.seats, used_seats),
        add_ons=_add_ons(plan, order.add_ons),
    )
    if choice.seats < used_seats and (order.seats is not None or choice.interval is not None):
        raise SeatsHeld.by_too_many(used_seats, plan) if order.seats is None else SeatsHeld.by_more(used_seats)
    return choice


def is_fallback(catalog: Catalog, choice: PlanChoice) -> bool:
    """Whether a choice is what a workspace is on that subscribes to nothing."""
    return choice.terms.id == plan_terms(catalog, catalog.fallback_plan).id and not choice.add_ons


def _with_own(catalog: Catalog, plan: Plan, order: PlanOrder) -> Plan:
    if order.base is not None or order.per_seat is not None:
        plan = _with_price(plan, order, catalog.currency)
    if order.seats is not None and not plan.seats.is_per_seat and order.seats != plan.seats.included:
        if order.seats < 1:
            raise SeatLimit("A plan has at least one seat.")
        plan = replace(plan, seats=_fixed(order.seats))
    for code, limit in order.limits.items():
        if catalog.resource(code) is None:
            raise InvalidInput(f"There is no resource {code!r}.")
        known = plan.allowance(code) or Allowance(resource=code, limit=limit)
        others = tuple(each for each in plan.allowances if each.resource != code)
        plan = replace(plan, allowances=(*others, replace(known, limit=limit)))
    if order.spend_limit is not None:
        plan = replace(plan, monthly_spend_limit=order.spend_limit)
    return plan


def _with_price(plan: Plan, order: PlanOrder, currency: str) -> Plan:
    interval = order.interval or BillingInterval.MONTH
    nothing = Money(0, currency)
    known = plan.price(interval) or PlanPrice(interval=interval, base=nothing, per_seat=nothing)
    base = order.base if order.base is not None else known.base
    per_seat = order.per_seat if order.per_seat is not None else known.per_seat
    if not base.minor and not per_seat.minor:
        raise InvalidInput("A price is above zero; without any, leave the options for prices out.")
    own = PlanPrice(interval=interval, base=base, per_seat=per_seat)
    seats = plan.seats
    if per_seat.minor and not seats.is_per_seat:
        seats = SeatPolicy(included=0, minimum=1, maximum=None, is_per_seat=True)
    elif not per_seat.minor and seats.is_per_seat:
        seats = _fixed(order.seats or max(seats.included, seats.minimum))
    return replace(plan, prices=(own,), seats=seats)


def _fixed(seats: int) -> SeatPolicy:
    return SeatPolicy(included=seats, minimum=seats, maximum=seats, is_per_seat=False)


def _interval(plan: Plan, wanted: BillingInterval | None) -> BillingInterval | None:
    if not plan.prices:
        if wanted is not None:
            raise PlanUnavailable.interval(plan, wanted)
        return None
    usual = BillingInterval.MONTH if plan.price(BillingInterval.MONTH) is not None else BillingInterval.YEAR
    interval = wanted or usual
    if plan.price(interval) is None:
        raise PlanUnavailable.interval(plan, interval)
    return interval


def _seats(plan: Plan, wanted: int | None, used: int) -> int:
    policy = plan.seats
    if not policy.is_per_seat:
        return policy.included
    seats = wanted if wanted is not None else max(policy.minimum, used, 1)
    if seats < max(policy.minimum, 1) or (policy.maximum is not None and seats > policy.maximum):
        raise SeatLimit.bounds(plan)
    return seats


def _add_ons(plan: Plan, wanted: Mapping[str, int]) -> tuple[AddOnQuantity, ...]:
    for code, quantity in wanted.items():
        add_on = plan.add_on(code)
        if quantity < 0:
            raise NegativeNumber.of_add_ons()
        if add_on is None:
            raise AddOnUnavailable.unknown(code)
        if add_on.maximum is not None and quantity > add_on.maximum:
            raise AddOnUnavailable.above(add_on.maximum, add_on)
    return add_on_quantities(wanted)
