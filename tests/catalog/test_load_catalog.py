"""The three catalogs that ship: they load, and hold the numbers they are known for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog import (
    AutoRechargeMode,
    AutoRechargeTerms,
    AutoRechargeTrigger,
    BillingInterval,
    Catalog,
    PlanKind,
    SeatMode,
    TaxMode,
    TaxPolicy,
    TaxRate,
    TrialTerms,
    load_catalog,
)
from app.errors import InvalidInput
from app.money import CreditUnit, Money
from tests.support.server import ROOT

CATALOGS = ROOT / "catalogs"
ANALYTICS = load_catalog(CATALOGS / "analytics.toml")
COMPUTE = load_catalog(CATALOGS / "compute.toml")
MESSAGING = load_catalog(CATALOGS / "messaging.toml")
ALL = pytest.mark.parametrize("catalog", [ANALYTICS, COMPUTE, MESSAGING], ids=lambda catalog: catalog.code)


def _offered(catalog: Catalog) -> list[str]:
    return [plan.name for plan in catalog.plans if not plan.is_legacy]


@ALL
def test_plans_are_listed_lowest_rank_first(catalog: Catalog) -> None:
    ranks = [plan.rank for plan in catalog.plans]

    assert ranks == sorted(set(ranks))


@ALL
def test_the_fallback_plan_costs_nothing_and_can_be_had(catalog: Catalog) -> None:
    assert catalog.fallback_plan.prices == ()
    assert not catalog.fallback_plan.is_legacy


@ALL
def test_every_plan_says_what_it_includes_of_every_resource(catalog: Catalog) -> None:
    for plan in catalog.plans:
        assert {allowance.resource for allowance in plan.allowances} == {each.code for each in catalog.resources}


@ALL
def test_a_year_costs_less_than_twelve_months(catalog: Catalog) -> None:
    for plan in catalog.plans:
        month, year = plan.price(BillingInterval.MONTH), plan.price(BillingInterval.YEAR)
        if month and year:
            assert year.base.minor <= 12 * month.base.minor
            assert year.per_seat.minor <= 12 * month.per_seat.minor
            assert year.base.minor + year.per_seat.minor < 12 * (month.base.minor + month.per_seat.minor)


@ALL
def test_enterprise_is_sold_by_talking(catalog: Catalog) -> None:
    enterprise = catalog.plan("enterprise")

    assert enterprise is not None
    assert (enterprise.kind, enterprise.prices) == (PlanKind.ENTERPRISE, ())
    assert (enterprise.contact_url or "").startswith("https://")


@ALL
def test_a_look_up_of_an_unknown_code_answers_none(catalog: Catalog) -> None:
    assert catalog.plan("nothing") is None
    assert catalog.pack("nothing") is None
    assert catalog.resource("nothing") is None
    assert catalog.fallback_plan.allowance("nothing") is None
    assert catalog.fallback_plan.add_on("nothing") is None


def test_analytics_is_in_euro_with_21_percent_included_and_reverse_charge() -> None:
    assert (ANALYTICS.currency, ANALYTICS.prices_include_tax) == ("EUR", True)
    assert ANALYTICS.tax.mode is TaxMode.RATES
    assert ANALYTICS.tax.rates == (TaxRate(name="VAT", percent=Decimal(21), inclusive=True),)
    assert ANALYTICS.tax.reverse_charge


def test_analytics_sells_its_five_plans_by_the_month_and_the_year() -> None:
    assert _offered(ANALYTICS) == ["Free", "Personal", "Team", "Business", "Enterprise"]
    assert ANALYTICS.fallback_plan.name == "Free"
    for code, is_per_seat in {"personal": False, "team": True, "business": True}.items():
        plan = ANALYTICS.plan(code)
        assert plan is not None
        assert plan.seats.is_per_seat is is_per_seat
        assert {price.interval for price in plan.prices} == set(BillingInterval)


def test_analytics_meters_three_counters_and_a_gauge_in_bytes() -> None:
    assert [(each.code, each.is_gauge) for each in ANALYTICS.resources] == [
        ("sessions", False),
        ("events", False),
        ("enrichments", False),
        ("storage", True),
    ]
    storage = ANALYTICS.resource("storage")
    assert storage is not None
    assert storage.unit == "byte"


def test_analytics_lets_tokens_pay_for_enrichments_and_for_nothing_else() -> None:
    assert ANALYTICS.credit_unit == CreditUnit("tokens", "tokens", 0)
    paid_by_tokens = {
        allowance.resource for plan in ANALYTICS.plans for allowance in plan.allowances if allowance.credits_per_unit
    }
    assert paid_by_tokens == {"enrichments"}


def test_analytics_sells_four_packs() -> None:
    assert [(pack.name, pack.credits, pack.price) for pack in ANALYTICS.packs] == [
        ("Starter", 1_000_000, Money(500, "EUR")),
        ("Standard", 2_500_000, Money(1000, "EUR")),
        ("Pro", 7_000_000, Money(2500, "EUR")),
        ("Enterprise", 15_000_000, Money(5000, "EUR")),
    ]
    assert ANALYTICS.custom_recharge is None


def test_analytics_auto_recharges_a_pack_below_the_threshold_for_up_to_50_euro() -> None:
    terms = ANALYTICS.auto_recharge

    assert (terms.trigger, terms.mode) == (AutoRechargeTrigger.BELOW, AutoRechargeMode.PACK)
    assert terms.default_spending_limit == Money(5000, "EUR")


def test_analytics_gives_no_bonus_and_no_trial_and_needs_no_phone() -> None:
    assert (ANALYTICS.welcome_bonus, ANALYTICS.trial_plan, ANALYTICS.phone_required) == (None, None, False)


def test_compute_is_in_dollars_with_tax_on_top() -> None:
    assert (COMPUTE.currency, COMPUTE.prices_include_tax) == ("USD", False)
    assert [rate.inclusive for rate in COMPUTE.tax.rates] == [False]


def test_compute_starts_on_pay_as_you_go_with_its_two_limits() -> None:
    plan = COMPUTE.fallback_plan

    assert (plan.name, plan.kind) == ("Pay-As-You-Go", PlanKind.PAY_AS_YOU_GO)
    assert plan.requests_per_second == 100
    assert plan.monthly_spend_limit == Money(10_000, "USD")
    assert _offered(COMPUTE) == ["Pay-As-You-Go", "Enterprise"]


def test_compute_legacy_plans_move_to_pay_as_you_go() -> None:
    legacy = {plan.name: plan.transition for plan in COMPUTE.plans if plan.is_legacy}

    assert set(legacy) == {"Community", "Essential", "Professional"}
    for transition in legacy.values():
        assert transition is not None
        assert transition.to == COMPUTE.fallback_plan_code
        assert transition.message


def test_compute_credits_are_dollars_with_six_decimals_bought_from_5_to_500() -> None:
    custom = COMPUTE.custom_recharge

    assert (COMPUTE.credit_unit.code, COMPUTE.credit_unit.decimals) == ("USD", 6)
    assert custom is not None
    assert (custom.minimum, custom.maximum) == (Money(500, "USD"), Money(50_000, "USD"))
    assert custom.credits_per_currency_unit == 1
    assert COMPUTE.packs == ()


def test_compute_auto_recharges_at_5_up_to_20() -> None:
    assert COMPUTE.auto_recharge == AutoRechargeTerms(
        trigger=AutoRechargeTrigger.AT_OR_BELOW,
        mode=AutoRechargeMode.TARGET,
        default_threshold=5_000_000,
        default_pack=None,
        default_target=20_000_000,
        default_spending_limit=Money(5000, "USD"),
    )


def test_compute_gives_a_bonus_of_5_dollars_for_30_days_and_needs_a_phone() -> None:
    bonus = COMPUTE.welcome_bonus

    assert bonus is not None
    assert (bonus.credits, bonus.expires_in_days) == (5_000_000, 30)
    assert COMPUTE.phone_required


def test_messaging_is_in_dollars_with_tax_on_top() -> None:
    assert (MESSAGING.currency, MESSAGING.prices_include_tax) == ("USD", False)
    assert [rate.inclusive for rate in MESSAGING.tax.rates] == [False]


def test_messaging_sells_per_seat_with_phone_numbers() -> None:
    assert _offered(MESSAGING) == ["Inactive", "Starter", "Business", "Enterprise"]
    for code in ("starter", "business"):
        plan = MESSAGING.plan(code)
        assert plan is not None
        assert plan.seats.is_per_seat
        assert {price.interval for price in plan.prices} == set(BillingInterval)
        numbers = plan.add_on("phone-numbers")
        assert numbers is not None
        assert numbers.price(BillingInterval.MONTH) == numbers.monthly
        assert numbers.price(BillingInterval.YEAR) == numbers.yearly


def test_messaging_falls_back_to_nothing_included() -> None:
    inactive = MESSAGING.fallback_plan

    assert inactive.name == "Inactive"
    assert {(each.limit, each.credits_per_unit) for each in inactive.allowances} == {(Decimal(0), None)}
    assert inactive.add_ons == ()


def test_messaging_buys_seats_automatically_up_to_a_cap() -> None:
    assert MESSAGING.seat_mode is SeatMode.AUTOMATIC
    assert MESSAGING.automatic_seats_cap == 50


def test_messaging_tries_its_full_product_for_14_days() -> None:
    plan = MESSAGING.trial_plan

    assert plan is not None
    assert (plan.code, plan.trial_days) == ("business", 14)
    assert isinstance(plan.trial, TrialTerms)


def test_a_custom_amount_buys_exactly_its_worth() -> None:
    assert COMPUTE.credits_for(Money(500, "USD")) == 5_000_000
    assert COMPUTE.credits_for(Money(12_345, "USD")) == 123_450_000
    assert COMPUTE.credits_for(Money(50_000, "USD")) == 500_000_000


@pytest.mark.parametrize("amount", [Money(499, "USD"), Money(50_001, "USD"), Money(-500, "USD"), Money(1000, "EUR")])
def test_a_custom_amount_out_of_bounds_is_refused_naming_them(amount: Money) -> None:
    with pytest.raises(InvalidInput, match=r"from 5\.00 to 500\.00 USD") as caught:
        COMPUTE.credits_for(amount)
    assert caught.value.path == ("input", "amount")


def test_a_custom_amount_is_refused_where_only_packs_are_sold() -> None:
    with pytest.raises(InvalidInput, match="packs") as caught:
        ANALYTICS.credits_for(Money(500, "EUR"))
    assert caught.value.path == ("input", "amount")


@given(steps=st.integers(-(10**9), 10**9))
def test_what_fills_a_balance_is_the_smallest_amount_that_can_be_bought(steps: int) -> None:
    custom = COMPUTE.custom_recharge
    assert custom is not None

    amount = custom.amount_for(steps)

    assert custom.minimum.minor <= amount.minor <= custom.maximum.minor
    if amount != custom.maximum:
        assert custom.credits_for(amount) >= steps
    if amount != custom.minimum:
        assert (amount.minor - 1) * custom.steps_per_minor < steps


@pytest.mark.parametrize(
    ("catalog", "balance", "is_due"),
    [(ANALYTICS, 99, True), (ANALYTICS, 100, False), (COMPUTE, 100, True), (COMPUTE, 101, False), (COMPUTE, -1, True)],
)
def test_auto_recharge_is_due_below_or_at_the_threshold_as_the_catalog_says(
    catalog: Catalog, balance: int, is_due: bool
) -> None:
    assert catalog.auto_recharge.is_due(balance, threshold=100) is is_due


def test_seats_beyond_those_included_are_billed_and_a_flat_plan_bills_none() -> None:
    professional, essential, team = COMPUTE.plan("professional"), COMPUTE.plan("essential"), ANALYTICS.plan("team")
    assert professional is not None
    assert essential is not None
    assert team is not None

    assert [professional.seats.billable(seats) for seats in (5, 8)] == [0, 3]
    assert team.seats.billable(4) == 4
    assert essential.seats.billable(3) == 0


def test_a_rate_of_the_customers_country_goes_before_the_general_one() -> None:
    general = TaxRate(name="VAT", percent=Decimal(21), inclusive=True)
    german = TaxRate(name="VAT", percent=Decimal(19), inclusive=True, country="DE")
    policy = TaxPolicy(mode=TaxMode.RATES, rates=(german, general))

    assert policy.rate_for("DE") == german
    assert policy.rate_for("FR") == policy.rate_for(None) == general
    assert TaxPolicy(mode=TaxMode.RATES, rates=(german,)).rate_for("FR") is None


def test_an_address_is_needed_only_where_rates_differ_by_country() -> None:
    german = TaxRate(name="VAT", percent=Decimal(19), inclusive=True, country="DE")

    assert TaxPolicy(mode=TaxMode.RATES, rates=(german,)).needs_address
    assert not ANALYTICS.tax.needs_address
