"""What Stripe must know of a catalog: one price per thing that can be bought, found again by its lookup key.

Prices in Stripe can't be changed. So a key holds whatever would make another price: a new amount gets a new key, and those
who bought the old one keep it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from app.catalog.catalog_values import Catalog, CreditPack
from app.catalog.plan_terms import PlanTerms
from app.catalog.plan_values import AddOn, BillingInterval, Plan
from app.money import Money


class PricePart(StrEnum):
    """The two parts of a plan's price."""

    BASE = "base"
    SEAT = "seat"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripePrice:
    """A price to be found or made in Stripe; `interval` None is paid once. `product` is the product's id, `name` its name."""

    lookup_key: str
    product: str
    name: str
    amount: Money
    interval: BillingInterval | None
    tax_inclusive: bool


def plan_prices(catalog: Catalog, plan: Plan) -> dict[tuple[BillingInterval, PricePart], StripePrice]:
    """The recurring prices of a plan (of today's catalog or of kept terms); parts that cost nothing have none."""
    parts = {
        (price.interval, part): amount
        for price in plan.prices
        for part, amount in ((PricePart.BASE, price.base), (PricePart.SEAT, price.per_seat))
        if amount.minor
    }
    names = {PricePart.BASE: plan.name, PricePart.SEAT: f"{plan.name} (seat)"}
    return {
        (interval, part): _price(catalog, f"plan-{plan.code}-{part.value}", names[part], amount, interval)
        for (interval, part), amount in parts.items()
    }


def add_on_price(catalog: Catalog, add_on: AddOn, interval: BillingInterval) -> StripePrice:
    """The recurring price of one unit of an add-on."""
    return _price(catalog, f"addon-{add_on.code}", add_on.name, add_on.price(interval), interval)


def pack_price(catalog: Catalog, pack: CreditPack) -> StripePrice:
    """The one-time price of a credit pack."""
    return _price(catalog, f"pack-{pack.code}-{pack.credits}", pack.name, pack.price, None)


def stripe_prices(catalog: Catalog) -> Iterator[StripePrice]:
    """Every price that the catalog needs in Stripe; legacy plans' too, as customers are still on them."""
    for plan in catalog.plans:
        yield from plan_prices(catalog, plan).values()
    for add_on in catalog.add_ons:
        for interval in BillingInterval:
            yield add_on_price(catalog, add_on, interval)
    for pack in catalog.packs:
        yield pack_price(catalog, pack)


def terms_prices(catalog: Catalog, terms: PlanTerms) -> Iterator[StripePrice]:
    """The recurring prices that those who bought these terms pay, add-ons' too, whatever the catalog sells by now."""
    as_sold = replace(catalog, code=terms.catalog_code, prices_include_tax=terms.prices_include_tax)
    yield from plan_prices(as_sold, terms.plan).values()
    for add_on in terms.plan.add_ons:
        for interval in BillingInterval:
            yield add_on_price(as_sold, add_on, interval)


def _price(catalog: Catalog, item: str, name: str, amount: Money, interval: BillingInterval | None) -> StripePrice:
    product = f"{catalog.code}-{item}"
    times = interval.value if interval else "once"
    tax = "inclusive" if catalog.prices_include_tax else "exclusive"
    return StripePrice(
        lookup_key=f"{product}-{times}-{amount.minor}{amount.currency.lower()}-{tax}",
        product=product,
        name=name,
        amount=amount,
        interval=interval,
        tax_inclusive=catalog.prices_include_tax,
    )
