"""Reading the sections of a catalog file about plans, and about the resources and add-ons that plans speak of."""

from __future__ import annotations

from collections.abc import Collection

from app.catalog.plan_values import (
    AddOn,
    AddOnQuantity,
    Allowance,
    BillingInterval,
    Plan,
    PlanKind,
    PlanPrice,
    PlanTransition,
    Resource,
    SeatPolicy,
    TrialTerms,
)
from app.catalog.toml_reader import Table, listed
from app.money import Money

_INTERVALS = tuple(interval.value for interval in BillingInterval)
_HTTPS_URL = (r"https://[^\s/?#]+[^\s]*", "an address that starts with https://")
_MAX_TRIAL_DAYS = 730


def read_resources(root: Table) -> tuple[Resource, ...]:
    """The table `resources`."""
    return tuple(_resource(code, table) for code, table in root.entries("resources"))


def read_add_ons(root: Table) -> tuple[AddOn, ...]:
    """The table `add_ons`."""
    return tuple(_add_on(code, table) for code, table in root.entries("add_ons"))


def read_plans(root: Table, add_ons: Collection[AddOn]) -> tuple[Plan, ...]:
    """The table `plans`, lowest rank first."""
    by_code = {add_on.code: add_on for add_on in add_ons}
    plans = [_plan(code, table, root, by_code) for code, table in root.entries("plans")]
    return tuple(sorted(plans, key=lambda plan: plan.rank))


def _resource(code: str, table: Table) -> Resource:
    resource = Resource(
        code=code,
        name=table.text("name"),
        unit=table.text("unit"),
        is_gauge=table.flag("gauge", default=False),
        description=table.optional("description", table.text),
    )
    table.close()
    return resource


def _add_on(code: str, table: Table) -> AddOn:
    add_on = AddOn(
        code=code,
        name=table.text("name"),
        monthly=table.money("monthly", least=1),
        yearly=table.money("yearly", least=1),
        maximum=table.optional("maximum", lambda key: table.count(key, least=1)),
    )
    table.close()
    return add_on


def _plan(code: str, table: Table, root: Table, add_ons: dict[str, AddOn]) -> Plan:
    chosen = table.optional("add_ons", lambda key: _references(table, key, "add-on", root.codes("add_ons"))) or ()
    seats = _seats(table)
    plan = Plan(
        code=code,
        name=table.text("name"),
        kind=table.choice("kind", PlanKind),
        rank=table.count("rank"),
        seats=seats,
        prices=tuple(_price(key, price) for key, price in table.entries("prices", keys=_INTERVALS)),
        allowances=tuple(
            _allowance(key, allowance) for key, allowance in table.entries("allowances", keys=root.codes("resources"))
        ),
        add_ons=tuple(add_ons[code] for code in chosen if code in add_ons),
        description=table.optional("description", table.text),
        features=table.optional("features", table.texts) or (),
        requests_per_second=table.optional("requests_per_second", lambda key: table.count(key, least=1)),
        monthly_spend_limit=table.optional("monthly_spend_limit", lambda key: table.money(key, least=1)),
        trial=table.optional("trial", lambda key: _trial(table.table(key), seats, chosen)),
        contact_url=table.optional("contact_url", lambda key: table.matching(key, *_HTTPS_URL)),
        transition=table.optional("transition", lambda key: _transition(table.table(key), root.codes("plans"))),
    )
    table.close()
    return plan


def _references(table: Table, key: str, kind: str, codes: Collection[str]) -> tuple[str, ...]:
    chosen = table.texts(key)
    if unknown := [code for code in chosen if code not in codes]:
        table.note(key, f"expected codes of {kind}s ({listed(codes)}), found {', '.join(unknown)}")
    if len(set(chosen)) < len(chosen):
        table.note(key, f"expected each {kind} once")
    return chosen


def _seats(plan: Table) -> SeatPolicy:
    """A plain number is a plan with so many seats; a table is a plan billed per seat."""
    if plan.is_count("seats"):
        included = plan.count("seats", least=1)
        return SeatPolicy(included=included, minimum=included, maximum=included, is_per_seat=False)
    table = plan.table("seats", expected="a whole number, or a table for a plan billed per seat")
    policy = SeatPolicy(
        included=table.count("included", default=0),
        minimum=table.count("minimum", least=1, default=1),
        maximum=table.optional("maximum", lambda key: table.count(key, least=1)),
        is_per_seat=True,
    )
    table.close()
    return policy


def _price(interval: str, table: Table) -> PlanPrice:
    free = Money(0, table.reading.currency)
    price = PlanPrice(
        interval=BillingInterval(interval),
        base=table.optional("base", table.money) or free,
        per_seat=table.optional("per_seat", table.money) or free,
    )
    table.close()
    return price


def _allowance(resource: str, table: Table) -> Allowance:
    unit = table.reading.credit_unit
    price = table.optional("credits_per_unit", table.credits)
    allowance = Allowance(
        resource=resource,
        limit=table.quantity("limit"),
        credits_per_unit=None if price is None else unit.from_steps(price),
    )
    table.close()
    return allowance


def _trial(table: Table, policy: SeatPolicy, add_ons: Collection[str]) -> TrialTerms:
    trial = TrialTerms(
        days=table.count("days", least=1, most=_MAX_TRIAL_DAYS),
        seats=table.count("seats", least=1, default=policy.minimum),
        add_ons=tuple(
            AddOnQuantity(code=code, quantity=group.count(code, least=1))
            for code, group in table.members("add_ons", keys=add_ons)
        ),
    )
    table.close()
    return trial


def _transition(table: Table, plans: Collection[str]) -> PlanTransition:
    transition = PlanTransition(to=table.reference("to", "plan", plans), message=table.text("message"))
    table.close()
    return transition
