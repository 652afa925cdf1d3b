"""A plan with its quantities, as somebody has it or wants it, and the provider's prices that bill it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.catalog import (
    AddOnQuantity,
    BillingInterval,
    Catalog,
    PlanTerms,
    PricePart,
    add_on_price,
    plan_prices,
)
from app.money import Money
from app.wording import count, number

_PAID: Final = {BillingInterval.MONTH: "paid monthly", BillingInterval.YEAR: "paid yearly"}


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """A plan on certain terms, how often it is billed, and how many seats and add-ons it has.

    `interval` is None for a plan without a recurring price. `add_ons` are sorted by code, and none of them counts zero.
    """

    terms: PlanTerms
    interval: BillingInterval | None
    seats: int
    add_ons: tuple[AddOnQuantity, ...] = ()

    def quantity_of(self, add_on_code: str) -> int:
        """How many of an add-on there are."""
        return next((each.quantity for each in self.add_ons if each.code == add_on_code), 0)


def described(choice: PlanChoice) -> str:
    """A choice in words, such as `Team, 5 seats, paid monthly, 2 × Phone numbers`."""
    plan = choice.terms.plan
    parts = [plan.name, count(choice.seats, "seat")]
    if choice.interval is not None:
        parts.append(_PAID[choice.interval])
    for each in choice.add_ons:
        add_on = plan.add_on(each.code)
        parts.append(f"{number(each.quantity)} × {add_on.name if add_on is not None else each.code}")
    return ", ".join(parts)


def add_on_quantities(quantities: Mapping[str, int]) -> tuple[AddOnQuantity, ...]:
    """Quantities by code as a choice has them."""
    return tuple(
        AddOnQuantity(code=code, quantity=quantity) for code, quantity in sorted(quantities.items()) if quantity
    )


def choice_as_json(choice: PlanChoice) -> dict[str, Any]:
    """A choice as it is kept; the terms by their id."""
    return {
        "terms_id": choice.terms.id,
        "interval": choice.interval.value if choice.interval is not None else None,
        "seats": choice.seats,
        "add_ons": {each.code: each.quantity for each in choice.add_ons},
    }


def choice_from_json(kept: Mapping[str, Any], terms: PlanTerms) -> PlanChoice:
    """The choice that was kept; `terms` are those that its `terms_id` names."""
    interval = kept["interval"]
    return PlanChoice(
        terms=terms,
        interval=BillingInterval(interval) if interval is not None else None,
        seats=kept["seats"],
        add_ons=add_on_quantities(kept["add_ons"]),
    )


def billed_quantities(catalog: Catalog, choice: PlanChoice) -> dict[str, int]:
    """How many of which recurring prices bill a choice, by the prices' lookup keys; empty for a plan that costs nothing."""
    if choice.interval is None:
        return {}
    as_sold, plan = _as_sold(catalog, choice.terms), choice.terms.plan
    prices = plan_prices(as_sold, plan)
    quantities: dict[str, int] = {}
    base, seat = prices.get((choice.interval, PricePart.BASE)), prices.get((choice.interval, PricePart.SEAT))
    if base is not None:
        quantities[base.lookup_key] = 1
    if seat is not None and (billable := plan.seats.billable(choice.seats)):
        quantities[seat.lookup_key] = billable
    for each in choice.add_ons:
        add_on = plan.add_on(each.code)
        if add_on is not None and add_on.price(choice.interval).minor:
            quantities[add_on_price(as_sold, add_on, choice.interval).lookup_key] = each.quantity
    return quantities


def recurring_price(choice: PlanChoice, currency: str) -> Money | None:
    """What a choice costs per interval at its terms' prices, tax included only where prices include it; None without a price."""
    price = choice.terms.plan.price(choice.interval) if choice.interval is not None else None
    if price is None or choice.interval is None:
        return None
    plan = choice.terms.plan
    minor = price.base.minor + price.per_seat.minor * plan.seats.billable(choice.seats)
    for each in choice.add_ons:
        add_on = plan.add_on(each.code)
        minor += add_on.price(choice.interval).minor * each.quantity if add_on is not None else 0
    return Money(minor, currency)


def choice_billed_by(
    catalog: Catalog, candidates: Iterable[PlanTerms], quantities: Mapping[str, int]
) -> PlanChoice | None:
    """The choice that these quantities of prices (by lookup key) bill, on the first of the `candidates` that has all of them.

    None where no terms have exactly such prices: somebody made one by hand, or mixed two plans.
    """
    for terms in candidates:
        for interval in BillingInterval:
            choice = _choice_on(catalog, terms, interval, quantities)
            if choice is not None:
                return choice
    return None


def terms_with_price(catalog: Catalog, candidates: Sequence[PlanTerms], lookup_key: str) -> PlanTerms | None:
    """The first of the terms that bill by this price, their add-ons' prices included."""
    return next((terms for terms in candidates if lookup_key in _keys_of(catalog, terms)), None)


def add_on_with_price(catalog: Catalog, terms: PlanTerms, lookup_key: str) -> str | None:
    """The code of the add-on that this price is of; None for a price of the plan itself."""
    as_sold = _as_sold(catalog, terms)
    return next(
        (
            add_on.code
            for add_on in terms.plan.add_ons
            for interval in BillingInterval
            if add_on_price(as_sold, add_on, interval).lookup_key == lookup_key
        ),
        None,
    )


def _choice_on(
    catalog: Catalog, terms: PlanTerms, interval: BillingInterval, quantities: Mapping[str, int]
) -> PlanChoice | None:
    plan, as_sold = terms.plan, _as_sold(catalog, terms)
    if plan.price(interval) is None:
        return None
    rest = Counter(quantities)
    prices = plan_prices(as_sold, plan)
    base, seat = prices.get((interval, PricePart.BASE)), prices.get((interval, PricePart.SEAT))
    if base is not None and rest.pop(base.lookup_key, 0) != 1:
        return None
    seats = plan.seats.included
    if seat is not None:
        seats += rest.pop(seat.lookup_key, 0)
    if not seats:
        return None
    add_ons: dict[str, int] = {}
    for add_on in plan.add_ons:
        add_ons[add_on.code] = rest.pop(add_on_price(as_sold, add_on, interval).lookup_key, 0)
    return PlanChoice(terms, interval, seats, add_on_quantities(add_ons)) if not +rest else None


def _keys_of(catalog: Catalog, terms: PlanTerms) -> set[str]:
    as_sold = _as_sold(catalog, terms)
    keys = {price.lookup_key for price in plan_prices(as_sold, terms.plan).values()}
    return keys | {
        add_on_price(as_sold, add_on, interval).lookup_key
        for add_on in terms.plan.add_ons
        for interval in BillingInterval
    }


def _as_sold(catalog: Catalog, terms: PlanTerms) -> Catalog:
    """The catalog as far as it makes the lookup keys of prices: with the code and the tax that the terms were sold with."""
    return replace(catalog, code=terms.catalog_code, prices_include_tax=terms.prices_include_tax)
