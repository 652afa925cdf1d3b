"""Why a plan, its seats or its add-ons can't be had as somebody wants them."""

from __future__ import annotations

from typing import Final, TypeAlias

from app.catalog import AddOn, BillingInterval, Plan
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput
from app.wording import count, number

Path: TypeAlias = tuple[str, ...]

ADD_ONS: Final[Path] = ("input", "addOns")
_PLAN, _INTERVAL, _SEATS = (("input", name) for name in ("planCode", "interval", "seats"))
_BILLED = {BillingInterval.MONTH: "monthly", BillingInterval.YEAR: "yearly"}


class PlanUnavailable(DomainError):
    """There is no such plan to choose."""

    code = ErrorCode.PLAN_UNAVAILABLE

    @classmethod
    def unknown(cls) -> PlanUnavailable:
        """No plan has this code."""
        return cls(path=_PLAN)

    @classmethod
    def legacy(cls, plan: Plan) -> PlanUnavailable:
        """The plan can only be left."""
        return cls(f"{plan.name} is not sold any more.", path=_PLAN)

    @classmethod
    def without_price(cls, plan: Plan) -> PlanUnavailable:
        """The plan is not one to be paid for."""
        return cls(f"{plan.name} has no price: there is nothing to pay for.", path=_PLAN)

    @classmethod
    def interval(cls, plan: Plan, interval: BillingInterval) -> PlanUnavailable:
        """The plan is not sold by this interval."""
        return cls(f"{plan.name} is not billed {_BILLED[interval]}.", path=_INTERVAL)


class PlanNotNamed(InvalidInput):
    """Choose a plan: there is no subscription yet to change otherwise."""

    def __init__(self) -> None:
        super().__init__(path=_PLAN)


class NotSelfServe(DomainError):
    """This plan is sold by contract: talk to sales."""

    code = ErrorCode.NOT_SELF_SERVE

    @classmethod
    def plan(cls, plan: Plan) -> NotSelfServe:
        """The plan is sold by contract; the message says where."""
        where = f": {plan.contact_url}" if plan.contact_url else "."
        return cls(f"{plan.name} is sold by contract. Talk to sales{where}", path=_PLAN)

    @classmethod
    def present(cls, plan: Plan) -> NotSelfServe:
        """The workspace is on a plan that was agreed with the seller; the message says where to have it changed."""
        where = f": {plan.contact_url}" if plan.contact_url else "."
        return cls(f"This workspace is on {plan.name}, by contract. To change that, talk to sales{where}")


class SeatLimit(DomainError):
    """The plan can't have so many seats, or so few."""

    code = ErrorCode.SEAT_LIMIT

    @classmethod
    def bounds(cls, plan: Plan) -> SeatLimit:
        """The message says how many seats the plan can have."""
        seats = plan.seats
        if not seats.is_per_seat:
            return cls(f"{plan.name} has {count(seats.included, 'seat')}, no more and no fewer.", path=_SEATS)
        if seats.maximum is None:
            return cls(f"{plan.name} has at least {count(seats.minimum, 'seat')}.", path=_SEATS)
        return cls(f"{plan.name} has from {number(seats.minimum)} to {count(seats.maximum, 'seat')}.", path=_SEATS)


class SeatsHeld(DomainError):
    """More members hold a seat than that."""

    code = ErrorCode.SEATS_IN_USE

    @classmethod
    def by_more(cls, holders: int) -> SeatsHeld:
        """So many hold a seat, more than was asked for."""
        return cls(f"{_held(holders)}: remove members first, or choose more seats.", path=_SEATS)

    @classmethod
    def by_too_many(cls, holders: int, plan: Plan) -> SeatsHeld:
        """So many hold a seat, more than the plan can have."""
        return cls(f"{_held(holders)}, and {plan.name} can't have so many: remove members first.", path=_PLAN)


def _held(holders: int) -> str:
    return f"{count(holders, 'member holds', 'members hold')} a seat"


class NothingToChange(DomainError):
    """This is what the workspace has, or what is decided for it already."""

    code = ErrorCode.NO_CHANGE


class AddOnUnavailable(InvalidInput):
    """This add-on can't be had with this plan."""

    @classmethod
    def unknown(cls, code: str, *, path: Path = ADD_ONS) -> AddOnUnavailable:
        """No add-on has this code."""
        return cls(f"There is no add-on {code!r}.", path=path)

    @classmethod
    def not_offered(cls, name: str, plan: Plan, *, path: Path = ADD_ONS) -> AddOnUnavailable:
        """The plan can't be had with it."""
        return cls(f"{plan.name} can't be had with this add-on: {name}.", path=path)

    @classmethod
    def above(cls, maximum: int, add_on: AddOn, *, path: Path = ADD_ONS) -> AddOnUnavailable:
        """The message says how many there can be."""
        return cls(f"{add_on.name}: at most {number(maximum)}.", path=path)


class OtherQuantity(DomainError):
    """There are more or fewer of this add-on than you expect: somebody else has changed that. Read it again, and ask again."""

    code = ErrorCode.CONFLICT

    @classmethod
    def of(cls, *, is_now: int, will_be: int) -> OtherQuantity:
        """The message says how many there are."""
        then = f", and {number(will_be)} once the period ends" if will_be != is_now else ""
        message = f"There are {number(is_now)}{then}, not as many as you expect: somebody else has changed that."
        return cls(message, path=("input", "expectedQuantity"))


class NegativeNumber(InvalidInput):
    """A number of seats or add-ons can't be below zero."""

    @classmethod
    def of_seats(cls) -> NegativeNumber:
        """The number of seats is below zero."""
        return cls(path=_SEATS)

    @classmethod
    def of_add_ons(cls, *, path: Path = ADD_ONS) -> NegativeNumber:
        """The number of an add-on is below zero."""
        return cls(path=path)
