"""A catalog file as a whole: all its mistakes at once, and never anything but the error that lists them."""

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
from app.catalog.load_catalog import read_catalog
from tests.support.catalogs import SHOP, problems_of


def test_all_mistakes_of_a_file_are_reported_at_once_and_none_twice(tmp_path: Path) -> None:
    text = SHOP
    for right, wrong in [
        ('name = "Shop"', 'nmae = "Shop"'),
        ("decimals = 2", "decimals = -2"),
        ('price = "5.00"', "price = 5.0"),
        ("rank = 20", "rank = 10"),
        ("seats.maximum = 9", "seats.maximum = 1"),
        ('transition.to = "free"', 'transition.to = "gone"'),
        ('percent = "21"', 'percent = "121"'),
    ]:
        text = text.replace(right, wrong, 1)

    assert [key for key, _ in problems_of(text, tmp_path)] == [
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
    head, _, rest = SHOP.partition("[auto_recharge]")

    assert problems_of(head + rest[rest.index("[welcome_bonus]") :], tmp_path) == [
        ("auto_recharge", "is missing; expected a table")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = \n", "(at line 1, column"),
        (SHOP + "[plans.team]\n", f"(at line {SHOP.count(chr(10)) + 1}, column"),
        (SHOP + '\ncode = "a"\ncode = "b"', "Cannot overwrite a value"),
        ("a = " + "[" * 100_000, "expected TOML"),
        ("a = " + "9" * 10_000, "expected TOML"),
    ],
    ids=["half a line", "a plan twice", "a key twice", "too deep", "too long a number"],
)
def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    [(key, message)] = problems_of(text, tmp_path)

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
        key for key, _ in problems_of("", tmp_path)
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
    values = copy.deepcopy(tomllib.loads(SHOP))
    for _ in range(data.draw(st.integers(1, 4))):
        holder, key = data.draw(st.sampled_from(list(_places(values))))
        if data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(_VALUES)

    with suppress(CatalogError):
        assert read_catalog(Path("shop.toml"), values).fallback_plan.prices == ()
