"""Plans as a workspace has them, written short."""

from __future__ import annotations

from dataclasses import replace

from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.catalog import AddOn, BillingInterval, Catalog, Plan, load_catalog, plan_terms
from app.money import Money
from tests.support.running_backend import CATALOGS

ANALYTICS, COMPUTE, MESSAGING = (
    load_catalog(CATALOGS / f"{name}.toml") for name in ("analytics", "compute", "messaging")
)
MONTH, YEAR = BillingInterval.MONTH, BillingInterval.YEAR


def plan_named(catalog: Catalog, code: str) -> Plan:
    """A plan that is there."""
    plan = catalog.plan(code)
    assert plan is not None
    return plan


def choice(catalog: Catalog, code: str, seats: int, interval: BillingInterval = MONTH, **add_ons: int) -> PlanChoice:
    """A plan on the catalog's terms; add-ons by code, with _ for -."""
    quantities = {name.replace("_", "-"): quantity for name, quantity in add_ons.items()}
    return PlanChoice(plan_terms(catalog, plan_named(catalog, code)), interval, seats, add_on_quantities(quantities))


def with_plan(catalog: Catalog, plan: Plan) -> Catalog:
    """The catalog with this plan in place of the one with its code, or beside the others."""
    others = [each for each in catalog.plans if each.code != plan.code]
    return replace(catalog, plans=tuple(sorted([*others, plan], key=lambda each: each.rank)))


FAX = AddOn(code="fax", name="Fax line", monthly=Money(100, "USD"), yearly=Money(1000, "USD"))
