"""Every value in a catalog that is not what it must be is named: the file, the key, and what was expected there."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.catalog import load_catalog
from tests.support.catalogs import SHOP, problems_of


def test_the_good_catalog_is_good(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(SHOP)

    assert load_catalog(path).grace_days == 7


MISTAKES = [
    # unknown keys, with the nearest one that is known
    ('name = "Shop"', 'name = "Shop"\nnaem = "x"', "naem", 'unknown key; did you mean "name"?'),
    ("rank = 10", "rank = 10\nranking = 3", "plans.team.ranking", 'did you mean "rank"?'),
    ("rank = 10", "rank = 10\nxyz = 3", "plans.team.xyz", "unknown key; expected one of: add_ons, allowances,"),
    ("prices.year", "prices.years", "plans.team.prices.years", 'did you mean "year"?'),
    ("trial.add_ons.numbers", "trial.add_ons.number", "plans.team.trial.add_ons.number", 'did you mean "numbers"?'),
    # missing keys
    ('name = "Shop"', "", "name", "is missing; expected a text in quotes"),
    ("rank = 10", "", "plans.team.rank", "is missing; expected a whole number from 0 to 1000000"),
    ('kind = "enterprise"', "", "plans.big.kind", 'is missing; expected one of "free", "pay_as_you_go", "standard"'),
    ('price = "5.00"', "", "packs.small.price", 'is missing; expected an amount of EUR as a text such as "5.00"'),
    ("phone_required = false", "", "phone_required", "is missing; expected true or false"),
    ("allowances.disk.limit = 50", "", "plans.old.allowances.disk", "is missing; expected a table with a limit"),
    ("seats = 100", "", "plans.big.seats", "expected a whole number, or a table for a plan billed per seat"),
    ("decimals = 2", "", "credit_unit.decimals", "is missing; expected a whole number from 0 to 9"),
    # wrong types
    ('name = "Shop"', "name = 5", "name", "expected a text in quotes, found the number 5"),
    ("rank = 10", 'rank = "10"', "plans.team.rank", 'expected a whole number from 0 to 1000000, found "10"'),
    ("rank = 10", "rank = true", "plans.team.rank", "expected a whole number from 0 to 1000000, found true"),
    ("rank = 10", "rank = 1.5", "plans.team.rank", "expected a whole number from 0 to 1000000, found the float 1.5"),
    ("rank = 10", f"rank = {10**30}", "plans.team.rank", "found a far larger number"),
    ("gauge = true", 'gauge = "yes"', "resources.disk.gauge", 'expected true or false, found "yes"'),
    ('features = ["Calls"]', 'features = "Calls"', "plans.team.features", "expected a list of texts, found"),
    (
        'features = ["Calls"]',
        "features = [1]",
        "plans.team.features.0",
        "expected a text in quotes, found the number 1",
    ),
    ('features = ["Calls"]', 'features = ["a\\nb"]', "plans.team.features.0", "expected one line of 1 to 1000"),
    ('name = "Shop"', 'name = " "', "name", "expected one line of 1 to 1000 characters, not blank"),
    ('name = "Shop"', "name = 2020-01-01", "name", "expected a text in quotes, found a date"),
    (
        "trial.days = 14\ntrial.seats = 3\ntrial.add_ons.numbers = 1",
        "trial = 14",
        "plans.team.trial",
        "a table, found the number",
    ),
    ('kind = "enterprise"', 'kind = "vip"', "plans.big.kind", '"enterprise", found "vip"'),
    (
        "seats.minimum = 2\nseats.maximum = 9",
        'seats = "many"',
        "plans.team.seats",
        "expected a whole number, or a table",
    ),
    (
        'contact_url = "https:',
        'contact_url = "http:',
        "plans.big.contact_url",
        "expected an address that starts with https://",
    ),
    # amounts
    (
        'per_seat = "9.00"',
        "per_seat = 9.0",
        "plans.team.prices.month.per_seat",
        "found the float 9.0, which is not exact",
    ),
    (
        'per_seat = "9.00"',
        "per_seat = 9",
        "plans.team.prices.month.per_seat",
        'as a text such as "5.00", found the number 9',
    ),
    ('per_seat = "9.00"', 'per_seat = "-9.00"', "plans.team.prices.month.per_seat", "not negative"),
    ('per_seat = "9.00"', 'per_seat = "9e2"', "plans.team.prices.month.per_seat", "without an exponent"),
    ('per_seat = "9.00"', 'per_seat = "NaN"', "plans.team.prices.month.per_seat", "expected an amount of EUR"),
    ('per_seat = "9.00"', 'per_seat = "9.001"', "plans.team.prices.month.per_seat", "at most 2 digits after the point"),
    ('per_seat = "9.00"', 'per_seat = "1000000.00"', "plans.team.prices.month.per_seat", "from 0.00 to 999999.99 EUR"),
    ('per_seat = "9.00"', f'per_seat = "{"9" * 24}"', "plans.team.prices.month.per_seat", "The amount is too large"),
    ('credits = "100"', "credits = 100.0", "packs.small.credits", "expected an amount of credits as a text"),
    ('credits = "100"', 'credits = "100.001"', "packs.small.credits", "at most 2 digits after the point"),
    ('credits = "100"', 'credits = "0"', "packs.small.credits", "expected at least 0.01 credits"),
    (
        "limit = 10\nallowances.disk",
        "limit = 1.5\nallowances.disk",
        "plans.free.allowances.calls.limit",
        "found the float 1.5",
    ),
    ("limit = 10\nallowances.disk", "limit = -1\nallowances.disk", "plans.free.allowances.calls.limit", "from 0 to"),
    (
        "limit = 10\nallowances.disk",
        'limit = "lots"\nallowances.disk',
        "plans.free.allowances.calls.limit",
        '"unlimited"',
    ),
    ("limit = 10\nallowances.disk", "limit = true\nallowances.disk", "plans.free.allowances.calls.limit", "found true"),
    ('limit = "0.5"', 'limit = "0.0000001"', "plans.team.allowances.disk.limit", "at most 6 decimals"),
    (
        'limit = "0.5"',
        'limit = "1000000000000000001"',
        "plans.team.allowances.disk.limit",
        "from 0 to 1000000000000000000",
    ),
    (
        'limit = "0.5"',
        f'limit = "1{"0" * 23}.{"1" * 18}"',
        "plans.team.allowances.disk.limit",
        "from 0 to 1000000000000000000",
    ),
    (
        "allowances.disk.limit = 50",
        "allowances.disk = {}",
        "plans.old.allowances.disk.limit",
        "is missing; expected a whole number",
    ),
    (
        'price = "5.00"',
        'price = "0.49"',
        "packs.small.price",
        "expected at least 0.50 EUR, the least that Stripe charges",
    ),
    ('minimum = "5.00"', 'minimum = "0.10"', "custom_recharge.minimum", "expected at least 0.50 EUR"),
    ('monthly = "1.00"', 'monthly = "0.00"', "add_ons.numbers.monthly", "expected an amount from 0.01 to"),
    # the top of the file
    ('currency = "EUR"', 'currency = "EURO"', "currency", "expected the code of a currency (AED, AUD,"),
    ('code = "shop"', 'code = "Shop 1"', "code", "expected a code: at most 40 lower-case letters and digits"),
    ("[packs.small]", "[packs.Small]", "packs.Small", "expected a code: at most 40 lower-case letters and digits"),
    ('"automatic"', '"auto"', "seats", 'expected one of "manual", "automatic", found "auto"'),
    ("automatic_seats_cap = 20", "", "automatic_seats_cap", "is missing; expected the most seats that are bought"),
    ('seats = "automatic"', 'seats = "manual"', "automatic_seats_cap", 'expected none unless seats = "automatic"'),
    ('fallback_plan = "free"', "", "fallback_plan", "is missing; expected the code of a plan (big, free, old, team)"),
    (
        'fallback_plan = "free"',
        'fallback_plan = "fre"',
        "fallback_plan",
        "expected the code of a plan (big, free, old, team)",
    ),
    ('fallback_plan = "free"', 'fallback_plan = "team"', "fallback_plan", "expected a plan that costs nothing"),
    ('fallback_plan = "free"', 'fallback_plan = "old"', "fallback_plan", "is a legacy plan"),
]


@pytest.mark.parametrize(("right", "wrong", "key", "expected"), MISTAKES)
def test_a_mistake_names_its_key_and_what_was_expected(
    tmp_path: Path, right: str, wrong: str, key: str, expected: str
) -> None:
    assert right in SHOP

    problems = problems_of(SHOP.replace(right, wrong, 1), tmp_path)

    assert any(found == key and expected in message for found, message in problems), problems
