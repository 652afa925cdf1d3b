"""What customers bought is kept as it was, and a changed price is another price in Stripe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from app.catalog import (
    BillingInterval,
    Plan,
    PricePart,
    add_on_price,
    load_catalog,
    pack_price,
    plan_from_terms,
    plan_prices,
    plan_terms,
    stripe_prices,
    terms_of,
    terms_prices,
    terms_version,
)
from app.money import Money
from tests.support.server import ROOT

CATALOGS = ROOT / "catalogs"
ANALYTICS, COMPUTE, MESSAGING = (
    load_catalog(CATALOGS / f"{name}.toml") for name in ("analytics", "compute", "messaging")
)
PLANS = [plan for catalog in (ANALYTICS, COMPUTE, MESSAGING) for plan in catalog.plans]


def _plan(code: str) -> Plan:
    plan = ANALYTICS.plan(code)
    assert plan is not None
    return plan


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_terms_survive_json_and_keep_their_version(plan: Plan) -> None:
    kept = plan_from_terms(json.loads(json.dumps(terms_of(plan))))

    assert kept == plan
    assert terms_version(kept) == terms_version(plan)


def test_what_is_not_a_plan_is_no_terms() -> None:
    with pytest.raises(ValueError):
        plan_from_terms({"code": "team"})


def test_terms_without_a_key_that_plans_gained_later_still_read() -> None:
    terms = terms_of(_plan("team"))
    del terms["trial"]

    assert plan_from_terms(terms) == _plan("team")


def _cheaper(plan: Plan) -> Plan:
    return replace(plan, prices=(replace(plan.prices[0], per_seat=Money(1800, "EUR")), *plan.prices[1:]))


def _roomier(plan: Plan) -> Plan:
    return replace(plan, allowances=(replace(plan.allowances[0], limit=Decimal(7)), *plan.allowances[1:]))


OTHER_TERMS: list[Callable[[Plan], Plan]] = [
    _cheaper,
    _roomier,
    lambda plan: replace(plan, seats=replace(plan.seats, maximum=None)),
    lambda plan: replace(plan, requests_per_second=1),
    lambda plan: replace(plan, monthly_spend_limit=Money(1, "EUR")),
    lambda plan: replace(plan, prices=plan.prices[:1]),
    lambda plan: replace(plan, add_ons=MESSAGING.add_ons),
    lambda plan: replace(plan, code="squad"),
]
SAME_TERMS: list[Callable[[Plan], Plan]] = [
    lambda plan: replace(plan, name="Crew", description="Other words.", features=("Other",)),
    lambda plan: replace(plan, rank=99),
    lambda plan: replace(plan, prices=plan.prices[::-1], allowances=plan.allowances[::-1]),
]


@pytest.mark.parametrize("change", OTHER_TERMS)
def test_other_terms_have_another_version(change: Callable[[Plan], Plan]) -> None:
    assert terms_version(change(_plan("team"))) != terms_version(_plan("team"))


@pytest.mark.parametrize("change", SAME_TERMS)
def test_other_words_or_another_order_are_the_same_terms(change: Callable[[Plan], Plan]) -> None:
    assert terms_version(change(_plan("team"))) == terms_version(_plan("team"))


def test_the_version_of_terms_is_the_same_in_every_process() -> None:
    assert terms_version(_plan("team")) == "195356c2690c6e04"


def test_every_price_has_a_lookup_key_of_its_own_that_stripe_takes() -> None:
    keys = [price.lookup_key for catalog in (ANALYTICS, COMPUTE, MESSAGING) for price in stripe_prices(catalog)]

    assert len(set(keys)) == len(keys)
    assert all(len(key) <= 200 and key.isascii() for key in keys)


def test_a_plan_has_a_price_in_stripe_per_interval_and_part_that_costs_something() -> None:
    professional = COMPUTE.plan("professional")
    assert professional is not None

    assert {key: price.amount.minor for key, price in plan_prices(COMPUTE, professional).items()} == {
        (BillingInterval.MONTH, PricePart.BASE): 20_000,
        (BillingInterval.MONTH, PricePart.SEAT): 2_000,
        (BillingInterval.YEAR, PricePart.BASE): 200_000,
        (BillingInterval.YEAR, PricePart.SEAT): 20_000,
    }
    assert set(plan_prices(ANALYTICS, _plan("team"))) == {(each, PricePart.SEAT) for each in BillingInterval}


def test_a_changed_amount_currency_or_tax_makes_a_new_lookup_key() -> None:
    pack = ANALYTICS.packs[0]
    made = pack_price(ANALYTICS, pack).lookup_key

    assert pack_price(ANALYTICS, replace(pack, name="Other words")).lookup_key == made
    others = {
        pack_price(ANALYTICS, replace(pack, price=Money(501, "EUR"))).lookup_key,
        pack_price(ANALYTICS, replace(pack, price=Money(500, "USD"))).lookup_key,
        pack_price(ANALYTICS, replace(pack, credits=1)).lookup_key,
        pack_price(replace(ANALYTICS, prices_include_tax=False), pack).lookup_key,
        pack_price(replace(ANALYTICS, code="other"), pack).lookup_key,
    }
    assert len(others | {made}) == 6


def test_customers_on_kept_terms_find_the_price_they_bought() -> None:
    key = (BillingInterval.MONTH, PricePart.SEAT)
    kept = plan_from_terms(terms_of(_plan("team")))
    raised = _cheaper(_plan("team"))

    assert plan_prices(ANALYTICS, kept)[key].lookup_key == plan_prices(ANALYTICS, _plan("team"))[key].lookup_key
    assert plan_prices(ANALYTICS, raised)[key].lookup_key != plan_prices(ANALYTICS, kept)[key].lookup_key


def test_an_add_on_has_a_price_per_interval() -> None:
    monthly, yearly = (add_on_price(MESSAGING, MESSAGING.add_ons[0], interval) for interval in BillingInterval)

    assert (monthly.interval, yearly.interval) == (BillingInterval.MONTH, BillingInterval.YEAR)
    assert monthly.lookup_key != yearly.lookup_key
    assert monthly.product == yearly.product


@pytest.mark.parametrize("change", OTHER_TERMS)
def test_other_terms_have_another_id(change: Callable[[Plan], Plan]) -> None:
    assert plan_terms(ANALYTICS, change(_plan("team"))).id != plan_terms(ANALYTICS, _plan("team")).id


@pytest.mark.parametrize("change", SAME_TERMS)
def test_other_words_leave_the_id_of_the_terms(change: Callable[[Plan], Plan]) -> None:
    assert plan_terms(ANALYTICS, change(_plan("team"))).id == plan_terms(ANALYTICS, _plan("team")).id


def test_the_same_price_with_or_without_its_tax_makes_other_terms() -> None:
    ids = {plan_terms(replace(ANALYTICS, prices_include_tax=each), _plan("team")).id for each in (True, False)}

    assert len(ids) == 2
    assert all(each.startswith("team-") for each in ids)


def test_the_prices_of_terms_are_those_they_were_sold_at_whatever_the_catalog_says_now() -> None:
    terms = plan_terms(MESSAGING, MESSAGING.plans[-2])
    keys = [price.lookup_key for price in terms_prices(MESSAGING, terms)]
    now = replace(MESSAGING, prices_include_tax=not MESSAGING.prices_include_tax, code="other", plans=(), add_ons=())

    assert terms.plan.add_ons
    assert len(keys) > 2
    assert [price.lookup_key for price in terms_prices(now, terms)] == keys
    assert set(keys) <= {price.lookup_key for price in stripe_prices(MESSAGING)}
