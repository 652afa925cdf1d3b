"""What must hold between the parts of a catalog. Each rule notes the key at fault and what was expected there."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from app.catalog.catalog_values import (
    AutoRechargeMode,
    AutoRechargeTerms,
    Catalog,
    CustomRecharge,
    SeatMode,
    TaxMode,
    TaxPolicy,
)
from app.catalog.plan_values import Plan, PlanKind, Resource, TrialTerms
from app.catalog.toml_reader import Table
from app.money import MAX_STEPS, Money

# The least that Stripe charges, per currency; a catalog may use these currencies.
MINIMUM_CHARGE = {
    code: Money.of(Decimal(amount), code)
    for code, amount in {
        "AED": "2.00", "AUD": "0.50", "BGN": "1.00", "BRL": "0.50", "CAD": "0.50", "CHF": "0.50", "CZK": "15.00", "DKK": "2.50",
        "EUR": "0.50", "GBP": "0.30", "HKD": "4.00", "HUF": "175.00", "INR": "0.50", "JPY": "50", "MXN": "10.00", "MYR": "2.00",
        "NOK": "3.00", "NZD": "0.50", "PLN": "2.00", "RON": "2.00", "SEK": "3.00", "SGD": "0.50", "THB": "10.00", "USD": "0.50",
    }.items()
}  # fmt: skip

_WITHOUT_PRICE = (PlanKind.FREE, PlanKind.PAY_AS_YOU_GO)


def check(catalog: Catalog, root: Table) -> None:
    """Note on `root` every broken rule. Values that could not be read are stand-ins, and are not checked."""
    if not catalog.plans and root.is_sound("plans"):
        root.note("plans", "is missing; expected a table of plans, the fallback plan at least")
    for plan in catalog.plans:
        _check_plan(plan, catalog, root)
    _check_ranks([plan for plan in catalog.plans if _is_sound(root, plan, "rank")], root)
    _check_only_one_trial(catalog.plans, root)
    fallback = next((plan for plan in catalog.plans if plan.code == catalog.fallback_plan_code), None)
    if fallback and _is_sound(root, fallback, "kind", "transition"):
        _check_fallback(fallback, root)
    if root.is_sound("tax") and root.is_sound("prices_include_tax"):
        _check_tax(catalog.tax, catalog.prices_include_tax, root)
    if root.is_sound("seats"):
        _check_seat_mode(catalog, root)
    for pack in catalog.packs:
        _check_minimum_charge(pack.price, f"packs.{pack.code}.price", root)
    if catalog.custom_recharge:
        _check_custom_recharge(catalog.custom_recharge, root)
    if all(map(root.is_sound, ("auto_recharge", "custom_recharge", "packs"))):
        _check_auto_recharge(catalog.auto_recharge, catalog, root)


def _is_sound(root: Table, plan: Plan, *keys: str) -> bool:
    return all(root.is_sound(f"plans.{plan.code}.{key}") for key in keys)


def _check_plan(plan: Plan, catalog: Catalog, root: Table) -> None:
    if _is_sound(root, plan, "kind", "prices", "seats"):
        _check_kind(plan, root)
        _check_prices(plan, root)
    if _is_sound(root, plan, "seats"):
        _check_seats(plan, root)
    _check_allowances(plan, catalog.resources, root)
    if plan.trial and _is_sound(root, plan, "kind", "seats", "trial"):
        _check_trial(plan, plan.trial, root)
    target = catalog.plan(plan.transition.to) if plan.transition else None
    if target and _is_sound(root, target, "kind", "transition"):
        _check_transition(plan, target, root)


def _check_kind(plan: Plan, root: Table) -> None:
    key = f"plans.{plan.code}"
    if plan.kind is PlanKind.STANDARD and not plan.prices:
        root.note(f"{key}.prices", "is missing; expected a price per month or per year, which every standard plan has")
    if plan.kind is not PlanKind.STANDARD and plan.prices:
        root.note(f"{key}.prices", f'expected none on a plan of the kind "{plan.kind.value}"')
    if plan.kind is PlanKind.ENTERPRISE and plan.contact_url is None:
        root.note(f"{key}.contact_url", "is missing; expected where to talk to sales about an enterprise plan")
    if plan.kind in _WITHOUT_PRICE and plan.add_ons:
        root.note(f"{key}.add_ons", "expected none, as the plan has no price that they could be billed with")
    if plan.kind in _WITHOUT_PRICE and plan.seats.is_per_seat:
        root.note(f"{key}.seats", "expected a whole number, as the plan has no price per seat")


def _check_prices(plan: Plan, root: Table) -> None:
    for price in plan.prices:
        key = f"plans.{plan.code}.prices.{price.interval.value}"
        if plan.seats.is_per_seat and not price.per_seat.minor:
            root.note(f"{key}.per_seat", "expected a price above 0 on a plan billed per seat")
        elif not plan.seats.is_per_seat and price.per_seat.minor:
            root.note(f"{key}.per_seat", "expected none, as the plan's seats are a plain number")
        elif not price.base.minor and not price.per_seat.minor:
            root.note(f"{key}.base", "expected a price above 0")


def _check_seats(plan: Plan, root: Table) -> None:
    key = f"plans.{plan.code}.seats"
    seats = plan.seats
    if seats.minimum < seats.included:
        root.note(f"{key}.minimum", f"expected at least the {seats.included} seats included")
    if seats.maximum is not None and seats.maximum < seats.minimum:
        root.note(f"{key}.maximum", f"expected at least the minimum of {seats.minimum}")


def _check_allowances(plan: Plan, resources: Iterable[Resource], root: Table) -> None:
    for resource in resources:
        key = f"plans.{plan.code}.allowances.{resource.code}"
        allowance = plan.allowance(resource.code)
        if not root.is_sound(key):
            continue
        if allowance is None:
            root.note(key, 'is missing; expected a table with a limit: 0 for nothing, "unlimited" for no limit')
        elif allowance.credits_per_unit is not None and resource.is_gauge:
            root.note(f"{key}.credits_per_unit", "expected none, as credits can't pay for the level of a gauge")
        elif allowance.credits_per_unit is not None and allowance.limit is None:
            root.note(f"{key}.credits_per_unit", "expected none, as without a limit nothing is past it")


def _check_trial(plan: Plan, trial: TrialTerms, root: Table) -> None:
    key = f"plans.{plan.code}.trial"
    if plan.kind is not PlanKind.STANDARD or plan.is_legacy:
        root.note(key, "expected no trial: only a standard plan that can be bought can be tried")
    if trial.seats < plan.seats.minimum or (plan.seats.maximum is not None and trial.seats > plan.seats.maximum):
        most = "any number" if plan.seats.maximum is None else plan.seats.maximum
        root.note(
            f"{key}.seats", f"expected a number of seats that the plan can have: from {plan.seats.minimum} to {most}"
        )
    for chosen in trial.add_ons:
        add_on = plan.add_on(chosen.code)
        if add_on and add_on.maximum is not None and chosen.quantity > add_on.maximum:
            root.note(f"{key}.add_ons.{chosen.code}", f"expected at most {add_on.maximum}, the add-on's maximum")


def _check_transition(plan: Plan, target: Plan, root: Table) -> None:
    key = f"plans.{plan.code}.transition.to"
    if target.is_legacy:
        root.note(key, f'expected a plan that can be had, but "{target.code}" is a legacy plan itself')
    elif target.kind is PlanKind.ENTERPRISE:
        root.note(key, f'expected a plan that can be had at once, but "{target.code}" is sold by contract only')
    elif target.prices:
        root.note(
            key, f'expected a plan without a price, since nothing is charged for moving, but "{target.code}" has one'
        )


def _check_ranks(plans: Iterable[Plan], root: Table) -> None:
    taken: dict[int, str] = {}
    for plan in plans:
        other = taken.setdefault(plan.rank, plan.code)
        if other != plan.code:
            root.note(f"plans.{plan.code}.rank", f'expected a rank of its own, but "{other}" has {plan.rank} too')


def _check_only_one_trial(plans: Iterable[Plan], root: Table) -> None:
    tried = [plan for plan in plans if plan.trial]
    for plan in tried[1:]:
        root.note(
            f"plans.{plan.code}.trial", f'expected one trial, as it starts by itself, but "{tried[0].code}" has one too'
        )


def _check_fallback(plan: Plan, root: Table) -> None:
    if plan.is_legacy:
        root.note("fallback_plan", f'expected a plan that can be had, but "{plan.code}" is a legacy plan')
    if plan.kind not in _WITHOUT_PRICE:
        root.note(
            "fallback_plan", f'expected a plan that costs nothing, but "{plan.code}" is of the kind "{plan.kind.value}"'
        )


def _check_seat_mode(catalog: Catalog, root: Table) -> None:
    if catalog.seat_mode is SeatMode.AUTOMATIC and catalog.automatic_seats_cap is None:
        root.note("automatic_seats_cap", "is missing; expected the most seats that are bought automatically")
    if catalog.seat_mode is SeatMode.MANUAL and catalog.automatic_seats_cap is not None:
        root.note("automatic_seats_cap", 'expected none unless seats = "automatic"')


def _check_tax(tax: TaxPolicy, prices_include_tax: bool, root: Table) -> None:
    if tax.mode is TaxMode.OFF:
        if tax.rates or tax.reverse_charge:
            root.note("tax.mode", 'expected "rates", as rates or a reverse charge are given')
        if prices_include_tax:
            root.note("prices_include_tax", "expected false where tax is off")
    elif not tax.rates:
        root.note("tax.rates", "expected at least one rate")
    countries = [rate.country for rate in tax.rates]
    if len(set(countries)) < len(countries):
        root.note("tax.rates", "expected one rate per country and at most one without a country")
    if tax.reverse_charge and tax.home_country is None:
        root.note("tax.home_country", "is missing; expected the seller's country, where no reverse charge applies")


def _check_custom_recharge(custom: CustomRecharge, root: Table) -> None:
    _check_minimum_charge(custom.minimum, "custom_recharge.minimum", root)
    if not root.is_sound("custom_recharge"):
        return
    if custom.maximum.minor < custom.minimum.minor:
        root.note("custom_recharge.maximum", f"expected at least the minimum of {custom.minimum.amount}")
    elif custom.maximum.minor * custom.steps_per_minor > MAX_STEPS:
        root.note("custom_recharge.maximum", "expected an amount that buys no more credits than can be counted")


def _check_minimum_charge(price: Money, key: str, root: Table) -> None:
    least = MINIMUM_CHARGE[price.currency]
    if root.is_sound(key) and price.minor < least.minor:
        root.note(key, f"expected at least {least}, the least that Stripe charges")


def _check_auto_recharge(terms: AutoRechargeTerms, catalog: Catalog, root: Table) -> None:
    price = _price_of_default_recharge(terms, catalog, root)
    if price and terms.default_spending_limit.minor < price.minor:
        root.note(
            "auto_recharge.default_spending_limit", f"expected at least {price.amount}, what one default recharge costs"
        )


def _price_of_default_recharge(terms: AutoRechargeTerms, catalog: Catalog, root: Table) -> Money | None:
    if terms.mode is AutoRechargeMode.PACK:
        pack = catalog.pack(terms.default_pack or "")
        return pack.price if pack else None
    custom = catalog.custom_recharge
    if custom is None or terms.default_target is None:
        root.note("auto_recharge.mode", 'expected "pack", as there is no custom_recharge to fill up to a target with')
        return None
    unit = catalog.credit_unit
    most = custom.maximum.minor * custom.steps_per_minor
    if not terms.default_threshold < terms.default_target <= most:
        low, high = unit.from_steps(terms.default_threshold), unit.from_steps(most)
        root.note(
            "auto_recharge.default_target",
            f"expected more than the threshold, {low:f}, and at most {high:f}, which the maximum buys",
        )
        return None
    return custom.amount_for(terms.default_target - terms.default_threshold)
