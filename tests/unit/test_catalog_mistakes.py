"""Every mistake in a catalog is named: the file, the key, and what was expected there."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import CatalogError, load_catalog
from app.catalog.load import read_catalog

GOOD = """
code = "shop"
name = "Shop"
currency = "EUR"
prices_include_tax = false
fallback_plan = "free"
seats = "automatic"
automatic_seats_cap = 20
phone_required = false

[tax]
mode = "rates"
reverse_charge = true
home_country = "NL"
rates = [{ name = "VAT", percent = "21" }, { name = "VAT", percent = "19", country = "DE" }]

[credit_unit]
code = "credits"
name = "credits"
decimals = 2

[packs.small]
name = "Small"
credits = "100"
price = "5.00"

[custom_recharge]
minimum = "5.00"
maximum = "50.00"
credits_per_currency_unit = "10"

[auto_recharge]
trigger = "below"
mode = "pack"
default_threshold = "10"
default_pack = "small"
default_spending_limit = "20.00"

[welcome_bonus]
credits = "3"
expires_in_days = 30

[resources.calls]
name = "Calls"
unit = "call"

[resources.disk]
name = "Disk"
unit = "byte"
gauge = true

[add_ons.numbers]
name = "Numbers"
monthly = "1.00"
yearly = "10.00"
maximum = 5

[plans.free]
name = "Free"
kind = "free"
rank = 0
seats = 1
allowances.calls.limit = 10
allowances.disk.limit = 10

[plans.team]
name = "Team"
kind = "standard"
rank = 10
seats.minimum = 2
seats.maximum = 9
add_ons = ["numbers"]
features = ["Calls"]
monthly_spend_limit = "100.00"
prices.month.per_seat = "9.00"
prices.year.per_seat = "90.00"
allowances.calls.limit = 100
allowances.calls.credits_per_unit = "0.50"
allowances.disk.limit = "0.5"
trial.days = 14
trial.seats = 3
trial.add_ons.numbers = 1

[plans.big]
name = "Big"
kind = "enterprise"
rank = 20
seats = 100
contact_url = "https://example.com/sales"
allowances.calls.limit = "unlimited"
allowances.disk.limit = "unlimited"

[plans.old]
name = "Old"
kind = "standard"
rank = 5
seats = 1
prices.month.base = "7.00"
transition.to = "team"
transition.message = "Team has more."
allowances.calls.limit = 50
allowances.disk.limit = 50
"""


def _problems(folder: Path, text: str) -> list[tuple[str, str]]:
    path = folder / "shop.toml"
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_catalog(path)
    assert str(caught.value).startswith(f"{path}: ")
    for problem in caught.value.problems:
        assert f"\n  {problem}" in str(caught.value)
    return [(problem.key, problem.message) for problem in caught.value.problems]


def test_the_good_catalog_is_good(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(GOOD)

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
    ('transition.to = "team"', 'transition.to = "gone"', "plans.old.transition.to", "expected the code of a plan"),
    ('transition.to = "team"', 'transition.to = "old"', "plans.old.transition.to", "is a legacy plan itself"),
    ('transition.to = "team"', 'transition.to = "big"', "plans.old.transition.to", "is sold by contract only"),
    ('transition.to = "team"\n', "", "plans.old.transition.to", "is missing; expected the code of a plan"),
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
def test_a_mistake_names_its_key_and_what_was_expected(
    tmp_path: Path, right: str, wrong: str, key: str, expected: str
) -> None:
    assert right in GOOD

    problems = _problems(tmp_path, GOOD.replace(right, wrong, 1))

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
    head, _, rest = GOOD.partition('mode = "pack"')
    text = (
        head + FILL_UP.format(threshold=threshold, target=target, limit=limit) + rest[rest.index("[welcome_bonus]") :]
    )

    assert [(found, expected in message) for found, message in _problems(tmp_path, text)] == [
        (f"auto_recharge.{key}", True)
    ]


def test_filling_up_to_a_target_needs_custom_amounts(tmp_path: Path) -> None:
    head, _, rest = GOOD.partition("[custom_recharge]")
    text = head + rest[rest.index("[auto_recharge]") :]
    text = text.replace('mode = "pack"', 'mode = "target"').replace('default_pack = "small"', 'default_target = "50"')

    assert [key for key, _ in _problems(tmp_path, text)] == ["auto_recharge.mode"]


def test_only_one_plan_can_have_the_trial_that_starts_by_itself(tmp_path: Path) -> None:
    text = GOOD.replace('transition.to = "team"\ntransition.message = "Team has more."', "trial.days = 7")

    assert _problems(tmp_path, text) == [
        ("plans.team.trial", 'expected one trial, as it starts by itself, but "old" has one too')
    ]


def test_prices_can_not_include_a_tax_that_is_off(tmp_path: Path) -> None:
    head, _, rest = GOOD.partition("[tax]")
    text = head.replace("prices_include_tax = false", "prices_include_tax = true")
    text += '[tax]\nmode = "off"\n' + rest[rest.index("[credit_unit]") :]

    assert _problems(tmp_path, text) == [("prices_include_tax", "expected false where tax is off")]


def test_a_custom_amount_can_not_buy_more_credits_than_can_be_counted(tmp_path: Path) -> None:
    text = GOOD.replace('maximum = "50.00"', 'maximum = "999999.99"').replace(
        'per_currency_unit = "10"', 'per_currency_unit = "90000000000000000"'
    )

    assert ("custom_recharge.maximum", "expected an amount that buys no more credits than can be counted") in _problems(
        tmp_path, text
    )


def test_all_mistakes_of_a_file_are_reported_at_once_and_none_twice(tmp_path: Path) -> None:
    text = GOOD
    for right, wrong in [
        ('name = "Shop"', 'nmae = "Shop"'),
        ("decimals = 2", "decimals = -2"),
        ('price = "5.00"', "price = 5.0"),
        ("rank = 20", "rank = 10"),
        ("seats.maximum = 9", "seats.maximum = 1"),
        ('transition.to = "team"', 'transition.to = "gone"'),
        ('percent = "21"', 'percent = "121"'),
    ]:
        text = text.replace(right, wrong, 1)

    assert [key for key, _ in _problems(tmp_path, text)] == [
        "credit_unit.decimals",
        "name",
        "nmae",
        "packs.small.price",
        "plans.big.rank",
        "plans.old.transition.to",
        "plans.team.seats.maximum",
        "tax.rates.0.percent",
    ]


def test_a_missing_section_is_one_mistake(tmp_path: Path) -> None:
    head, _, rest = GOOD.partition("[auto_recharge]")

    assert _problems(tmp_path, head + rest[rest.index("[welcome_bonus]") :]) == [
        ("auto_recharge", "is missing; expected a table")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = \n", "(at line 1, column"),
        (GOOD + "[plans.team]\n", f"(at line {GOOD.count(chr(10)) + 1}, column"),
        (GOOD + '\ncode = "a"\ncode = "b"', "Cannot overwrite a value"),
        ("a = " + "[" * 100_000, "expected TOML"),
        ("a = " + "9" * 10_000, "expected TOML"),
    ],
    ids=["half a line", "a plan twice", "a key twice", "too deep", "too long a number"],
)
def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    [(key, message)] = _problems(tmp_path, text)

    assert key == ""
    assert expected in message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_bytes(b'name = "\xff"')

    with pytest.raises(CatalogError, match="UTF-8"):
        load_catalog(path)


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(CatalogError, match="can't be read") as caught:
            load_catalog(path)
        assert str(path) in str(caught.value)


def test_an_empty_file_is_told_everything_it_lacks(tmp_path: Path) -> None:
    assert {"code", "name", "currency", "plans", "tax", "credit_unit", "auto_recharge", "fallback_plan"} <= {
        key for key, _ in _problems(tmp_path, "")
    }


_LEAVES = (
    st.none().map(lambda _: date(2020, 1, 1))
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["0", "-1", "5.00", "1e9", "0.001", "unlimited", "free", "old", "team", "standard", "target", "off"]
    )
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(node: object) -> Iterator[tuple[dict[str, Any] | list[Any], Any]]:
    if isinstance(node, dict):
        table = cast("dict[str, Any]", node)
        for key, value in table.items():
            yield table, key
            yield from _places(value)
    elif isinstance(node, list):
        entries = cast("list[Any]", node)
        for index, value in enumerate(entries):
            yield entries, index
            yield from _places(value)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_no_mutation_of_a_catalog_raises_anything_but_the_error_that_lists_mistakes(data: st.DataObject) -> None:
    values = copy.deepcopy(tomllib.loads(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        holder, key = data.draw(st.sampled_from(list(_places(values))))
        if data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(_VALUES)

    with suppress(CatalogError):
        assert read_catalog(Path("shop.toml"), values).fallback_plan.prices == ()
