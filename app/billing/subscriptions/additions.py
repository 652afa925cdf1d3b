"""What is added beside what is decided: seats that accepted invitations buy, and add-ons as a server counts them. Pure.

Only an owner's own change drops what is pending. An addition goes to the present and to what follows alike, so that neither a
downgrade nor the end of the subscription is lost by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.billing.subscriptions.plan_refusals import AddOnUnavailable, NegativeNumber, NothingToChange, OtherQuantity
from app.billing.subscriptions.planner import ChangeTiming, PlannedChange, WantedChange, plan_change, require_offered
from app.catalog import Catalog

_ADD_ON_CODE: Final = ("input", "addOnCode")
_QUANTITY: Final = ("input", "quantity")


@dataclass(frozen=True, slots=True)
class WantedQuantity:
    """How many of an add-on there are to be; `expected` is how many there were for who counts them, None where that is not said.

    `drops_pending` is for an owner's own change, which takes the place of what is pending.
    """

    add_on_code: str
    quantity: int
    expected: int | None = None
    drops_pending: bool = False


def room_for_seats(catalog: Catalog, present: PlanChoice, decided: Goal) -> int:
    """How many more seats accepted invitations may buy: none where the subscription ends, or where the plan sells no seats.

    The present plan and the one that follows bound them, and the catalog's cap on seats that are bought automatically.
    """
    if decided.ends or catalog.automatic_seats_cap is None:
        return 0
    choices = [present, decided.later] if decided.later is not None else [present]
    rooms = [catalog.automatic_seats_cap - present.seats]
    for choice in choices:
        policy = choice.terms.plan.seats
        if not policy.is_per_seat:
            return 0
        if policy.maximum is not None:
            rooms.append(policy.maximum - choice.seats)
    return max(0, min(rooms))


def with_seats(present: PlanChoice, decided: Goal, seats: int) -> Goal:
    """So many more seats at once, and in what follows."""
    later = decided.later
    return Goal(
        replace(present, seats=present.seats + seats),
        later=replace(later, seats=later.seats + seats) if later is not None else None,
        ends=decided.ends,
    )


def plan_quantity(
    catalog: Catalog, present: PlanChoice, decided: Goal, wanted: WantedQuantity, *, used_seats: int
) -> PlannedChange:
    """Plan another quantity of an add-on: more at once, fewer when the period ends.

    Raises `NegativeNumber`, `AddOnUnavailable`, `OtherQuantity`, what `plan_change` refuses, and `NothingToChange` where nothing
    would be other than it is or will be; so for fewer where the subscription ends anyway.
    """
    code, quantity = wanted.add_on_code, wanted.quantity
    if quantity < 0:
        raise NegativeNumber.of_add_ons(path=_QUANTITY)
    add_on = require_offered(catalog, present.terms.plan, code, path=_ADD_ON_CODE)
    had = present.quantity_of(code)
    if add_on.maximum is not None and quantity > max(add_on.maximum, had):
        raise AddOnUnavailable.above(add_on.maximum, add_on, path=_QUANTITY)
    _require_expected(present, decided, wanted)
    if wanted.drops_pending:
        pending = decided if decided.later is not None or decided.ends else None
        change = WantedChange(add_ons={code: quantity})
        return plan_change(catalog, present, change, used_seats=used_seats, pending=pending)
    now = _with_quantity(present, code, quantity) if quantity > had else None
    later = _later(now or present, decided, code, quantity)
    if now is None and later == decided.later:
        raise NothingToChange
    goal = Goal(now, later, ends=decided.ends)
    is_later = now is None and later is not None
    return PlannedChange(goal, ChangeTiming.PERIOD_END if is_later else ChangeTiming.IMMEDIATE, later or now or present)


def _require_expected(present: PlanChoice, decided: Goal, wanted: WantedQuantity) -> None:
    """So that of two who count at once none is lost.

    What is given up already but paid for until the period ends does not count: who gives up the next one expects one less.
    """
    will_be = (decided.later or present).quantity_of(wanted.add_on_code)
    if wanted.expected is not None and wanted.expected != will_be:
        raise OtherQuantity.of(is_now=present.quantity_of(wanted.add_on_code), will_be=will_be)


def _later(base: PlanChoice, decided: Goal, code: str, quantity: int) -> PlanChoice | None:
    """What follows when the period ends, with so many of the add-on as far as its plan has them; None where all stays."""
    if decided.ends:
        return None
    follows = decided.later or base
    add_on = follows.terms.plan.add_on(code)
    if add_on is not None:
        most = add_on.maximum if add_on.maximum is not None else quantity
        follows = _with_quantity(follows, code, min(quantity, max(most, follows.quantity_of(code))))
    return follows if follows != base else None


def _with_quantity(choice: PlanChoice, code: str, quantity: int) -> PlanChoice:
    quantities = {each.code: each.quantity for each in choice.add_ons} | {code: quantity}
    return replace(choice, add_ons=add_on_quantities(quantities))
