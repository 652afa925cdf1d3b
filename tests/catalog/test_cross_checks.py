"""What must hold between the parts of a catalog: breaking it names the key at fault and what was expected there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.catalogs import SHOP, problems_of

MISTAKES = [
    # tax
    (
        'mode = "rates"',
        'mode = "stripe_tax"',
        "tax.mode",
        '"stripe_tax" is not supported yet; expected "rates" or "off"',
    ),
    ('mode = "rates"', 'mode = "vat"', "tax.mode", 'expected one of "off", "rates", found "vat"'),
    ('mode = "rates"', 'mode = "off"', "tax.mode", 'expected "rates", as rates or a reverse charge are given'),
    ("rates = [{", "rates = []\nx = [{", "tax.rates", "expected at least one rate"),
    ("rates = [{", "rates = 5\nx = [{", "tax.rates", "expected a list of tables, found the number 5"),
    ('percent = "21"', 'percent = "101"', "tax.rates.0.percent", "expected a percentage above 0 and at most 100"),
    ('percent = "21"', 'percent = "0"', "tax.rates.0.percent", "expected a percentage above 0 and at most 100"),
    ('percent = "21"', "percent = 21", "tax.rates.0.percent", 'expected a percentage as a text such as "21"'),
    ('percent = "21"', 'percent = "21.00001"', "tax.rates.0.percent", "at most 4 digits"),
    (', country = "DE"', "", "tax.rates", "expected one rate per country and at most one without a country"),
    ('country = "DE"', 'country = "de"', "tax.rates.1.country", "expected a country as two capital letters"),
    ('home_country = "NL"', "", "tax.home_country", "is missing; expected the seller's country"),
    # what refers to something else
    (
        'default_pack = "small"',
        'default_pack = "smal"',
        "auto_recharge.default_pack",
        "expected the code of a pack (small)",
    ),
    (
        'add_ons = ["numbers"]',
        'add_ons = ["nmbrs"]',
        "plans.team.add_ons",
        "expected codes of add-ons (numbers), found nmbrs",
    ),
    ('add_ons = ["numbers"]', 'add_ons = ["numbers", "numbers"]', "plans.team.add_ons", "expected each add-on once"),
    ("limit = 10\nallowances.disk", "limit = 10\nallowances.dsk", "plans.free.allowances.dsk", 'did you mean "disk"?'),
    ('transition.to = "free"', 'transition.to = "gone"', "plans.old.transition.to", "expected the code of a plan"),
    ('transition.to = "free"', 'transition.to = "old"', "plans.old.transition.to", "is a legacy plan itself"),
    ('transition.to = "free"', 'transition.to = "big"', "plans.old.transition.to", "is sold by contract only"),
    ('transition.to = "free"', 'transition.to = "team"', "plans.old.transition.to", "expected a plan without a price"),
    ('transition.to = "free"\n', "", "plans.old.transition.to", "is missing; expected the code of a plan"),
    # plans
    ("rank = 20", "rank = 10", "plans.big.rank", 'expected a rank of its own, but "team" has 10 too'),
    (
        'contact_url = "https://example.com/sales"',
        "",
        "plans.big.contact_url",
        "is missing; expected where to talk to sales",
    ),
    ('prices.month.base = "7.00"', "", "plans.old.prices", "is missing; expected a price per month or per year"),
    (
        'prices.month.base = "7.00"',
        'prices.month.base = "0"',
        "plans.old.prices.month.base",
        "expected a price above 0",
    ),
    (
        'prices.month.base = "7.00"',
        'prices.month.per_seat = "7.00"',
        "plans.old.prices.month.per_seat",
        "a plain number",
    ),
    (
        'month.per_seat = "9.00"',
        'month.base = "9.00"',
        "plans.team.prices.month.per_seat",
        "above 0 on a plan billed per seat",
    ),
    (
        "rank = 0",
        'rank = 0\nprices.month.base = "1.00"',
        "plans.free.prices",
        'expected none on a plan of the kind "free"',
    ),
    ("rank = 0", 'rank = 0\nadd_ons = ["numbers"]', "plans.free.add_ons", "expected none, as the plan has no price"),
    (
        "rank = 0\nseats = 1",
        "rank = 0\nseats.minimum = 1",
        "plans.free.seats",
        "expected a whole number, as the plan has no",
    ),
    ("seats.maximum = 9", "seats.maximum = 1", "plans.team.seats.maximum", "expected at least the minimum of 2"),
    ("seats.maximum = 9", "seats.included = 3", "plans.team.seats.minimum", "expected at least the 3 seats included"),
    ("seats.minimum = 2", "seats.minimum = 0", "plans.team.seats.minimum", "expected a whole number from 1 to"),
    (
        "allowances.disk.limit = 10",
        'allowances.disk = { limit = 10, credits_per_unit = "1" }',
        "plans.free.allowances.disk.credits_per_unit",
        "credits can't pay for the level of a gauge",
    ),
    (
        "allowances.calls.limit = 100",
        'allowances.calls.limit = "unlimited"',
        "plans.team.allowances.calls.credits_per_unit",
        "without a limit nothing is past it",
    ),
    # trials
    ("trial.days = 14", "", "plans.team.trial.days", "is missing; expected a whole number from 1 to 730"),
    ("trial.seats = 3", "trial.seats = 10", "plans.team.trial.seats", "from 2 to 9"),
    ("trial.add_ons.numbers = 1", "trial.add_ons.numbers = 6", "plans.team.trial.add_ons.numbers", "at most 5"),
    ("rank = 5", "rank = 5\ntrial.days = 1", "plans.old.trial", "only a standard plan that can be bought can be tried"),
    (
        "rank = 0",
        "rank = 0\ntrial.days = 1",
        "plans.free.trial",
        "only a standard plan that can be bought can be tried",
    ),
    # credits
    ('maximum = "50.00"', 'maximum = "4.00"', "custom_recharge.maximum", "expected at least the minimum of 5.00"),
    (
        'per_currency_unit = "10"',
        'per_currency_unit = "0.5"',
        "custom_recharge.credits_per_currency_unit",
        "the smallest coin",
    ),
    (
        'default_pack = "small"',
        'default_target = "50"',
        "auto_recharge.default_target",
        'expected none in the mode "pack"',
    ),
    ('default_threshold = "10"', 'default_threshold = "-1"', "auto_recharge.default_threshold", "not negative"),
    ('limit = "20.00"', 'limit = "4.99"', "auto_recharge.default_spending_limit", "expected at least 5.00, what one"),
    (
        "expires_in_days = 30",
        "expires_in_days = 0",
        "welcome_bonus.expires_in_days",
        "expected a whole number from 1 to",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "key", "expected"), MISTAKES)
def test_a_broken_rule_names_its_key_and_what_was_expected(
    tmp_path: Path, right: str, wrong: str, key: str, expected: str
) -> None:
    assert right in SHOP

    problems = problems_of(SHOP.replace(right, wrong, 1), tmp_path)

    assert any(found == key and expected in message for found, message in problems), problems


FILL_UP = """
mode = "target"
default_threshold = "{threshold}"
default_target = "{target}"
default_spending_limit = "{limit}"
"""


@pytest.mark.parametrize(
    ("threshold", "target", "limit", "key", "expected"),
    [
        ("10", "10", "20.00", "default_target", "expected more than the threshold, 10.00, and at most 500.00"),
        ("10", "500.01", "50.00", "default_target", "expected more than the threshold, 10.00, and at most 500.00"),
        ("10", "200", "18.99", "default_spending_limit", "expected at least 19.00, what one default recharge costs"),
        ("10", "11", "4.99", "default_spending_limit", "expected at least 5.00, what one default recharge costs"),
    ],
)
def test_defaults_of_filling_up_to_a_target_must_be_possible(
    tmp_path: Path, threshold: str, target: str, limit: str, key: str, expected: str
) -> None:
    head, _, rest = SHOP.partition('mode = "pack"')
    text = (
        head + FILL_UP.format(threshold=threshold, target=target, limit=limit) + rest[rest.index("[welcome_bonus]") :]
    )

    assert [(found, expected in message) for found, message in problems_of(text, tmp_path)] == [
        (f"auto_recharge.{key}", True)
    ]


def test_filling_up_to_a_target_needs_custom_amounts(tmp_path: Path) -> None:
    head, _, rest = SHOP.partition("[custom_recharge]")
    text = head + rest[rest.index("[auto_recharge]") :]
    text = text.replace('mode = "pack"', 'mode = "target"').replace('default_pack = "small"', 'default_target = "50"')

    assert [key for key, _ in problems_of(text, tmp_path)] == ["auto_recharge.mode"]


def test_only_one_plan_can_have_the_trial_that_starts_by_itself(tmp_path: Path) -> None:
    text = SHOP.replace('transition.to = "free"\ntransition.message = "Free is free."', "trial.days = 7")

    assert problems_of(text, tmp_path) == [
        ("plans.team.trial", 'expected one trial, as it starts by itself, but "old" has one too')
    ]


def test_prices_can_not_include_a_tax_that_is_off(tmp_path: Path) -> None:
    head, _, rest = SHOP.partition("[tax]")
    text = head.replace("prices_include_tax = false", "prices_include_tax = true")
    text += '[tax]\nmode = "off"\n' + rest[rest.index("[credit_unit]") :]

    assert problems_of(text, tmp_path) == [("prices_include_tax", "expected false where tax is off")]


def test_a_custom_amount_can_not_buy_more_credits_than_can_be_counted(tmp_path: Path) -> None:
    text = SHOP.replace('maximum = "50.00"', 'maximum = "999999.99"').replace(
        'per_currency_unit = "10"', 'per_currency_unit = "90000000000000000"'
    )

    assert (
        "custom_recharge.maximum",
        "expected an amount that buys no more credits than can be counted",
    ) in problems_of(text, tmp_path)
