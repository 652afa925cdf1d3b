"""Reading a catalog file: what stands at its top, and the sections about credits and tax."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.catalog.catalog_values import (
    AutoRechargeMode,
    AutoRechargeTerms,
    AutoRechargeTrigger,
    Catalog,
    CreditPack,
    CustomRecharge,
    SeatMode,
    TaxMode,
    TaxPolicy,
    TaxRate,
    WelcomeBonusTerms,
    steps_per_minor,
)
from app.catalog.cross_checks import MINIMUM_CHARGE, check
from app.catalog.load_plans import read_add_ons, read_plans, read_resources
from app.catalog.toml_reader import Problem, Reading, Table
from app.money import CreditUnit

_MAX_UNIT_DECIMALS = 9
_MAX_DAYS = 3_650
_COUNTRY = ("[A-Z]{2}", "a country as two capital letters (ISO 3166)")


class CatalogError(Exception):
    """The catalog file can't be used; the message names the file and every mistake found in it."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        count = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        super().__init__("\n  ".join([f"{path}: {count}", *map(str, self.problems)]))


def load_catalog(path: Path) -> Catalog:
    """The catalog in the TOML file `path`.

    Raises `CatalogError` naming the file, each key at fault and what was expected there.
    """
    try:
        values = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise CatalogError(path, [Problem("", f"the file can't be read: {error.strerror}")]) from None
    except (ValueError, RecursionError) as error:
        raise CatalogError(path, [Problem("", f"expected TOML in UTF-8: {error}")]) from None
    return read_catalog(path, values)


def read_catalog(path: Path, values: Mapping[str, object]) -> Catalog:
    """The catalog that a parsed file holds; raises `CatalogError`, which names `path`."""
    reading = Reading()
    catalog = _read(Table(values, "", reading))
    problems = reading.problems + reading.unknown_keys
    if problems:
        raise CatalogError(path, sorted(problems, key=lambda problem: problem.key))
    return catalog


def _read(root: Table) -> Catalog:
    # All amounts of the file are in these two units, so they come first.
    root.reading.currency = currency = _currency(root)
    root.reading.credit_unit = credit_unit = _credit_unit(root.table("credit_unit"))
    prices_include_tax = root.flag("prices_include_tax")
    resources, add_ons = read_resources(root), read_add_ons(root)
    catalog = Catalog(
        code=root.code("code"),
        name=root.text("name"),
        currency=currency,
        prices_include_tax=prices_include_tax,
        tax=_tax(root.table("tax"), inclusive=prices_include_tax),
        plans=read_plans(root, add_ons),
        fallback_plan_code=root.reference("fallback_plan", "plan", root.codes("plans")),
        resources=resources,
        credit_unit=credit_unit,
        packs=tuple(_pack(code, table) for code, table in root.entries("packs")),
        custom_recharge=root.optional("custom_recharge", lambda key: _custom_recharge(root.table(key))),
        auto_recharge=_auto_recharge(root.table("auto_recharge"), root.codes("packs")),
        welcome_bonus=root.optional("welcome_bonus", lambda key: _welcome_bonus(root.table(key))),
        phone_required=root.flag("phone_required"),
        seat_mode=root.choice("seats", SeatMode),
        automatic_seats_cap=root.optional("automatic_seats_cap", lambda key: root.count(key, least=1)),
        grace_days=root.count("grace_days", most=60, default=7),
        add_ons=add_ons,
    )
    root.close()
    check(catalog, root)
    return catalog


def _currency(root: Table) -> str:
    code = root.reference("currency", "currency", MINIMUM_CHARGE.keys())
    return code if code in MINIMUM_CHARGE else root.reading.currency


def _credit_unit(table: Table) -> CreditUnit:
    unit = CreditUnit(table.text("code"), table.text("name"), table.count("decimals", most=_MAX_UNIT_DECIMALS))
    table.close()
    # With the decimals unknown, no amount of credits can have too many.
    return unit if table.is_sound("decimals") else CreditUnit("credits", "credits", _MAX_UNIT_DECIMALS)


def _tax(table: Table, *, inclusive: bool) -> TaxPolicy:
    if table.holds("mode", "stripe_tax"):
        table.note("mode", '"stripe_tax" is not supported yet; expected "rates" or "off"')
        mode = TaxMode.OFF
    else:
        mode = table.choice("mode", TaxMode)
    policy = TaxPolicy(
        mode=mode,
        rates=tuple(_tax_rate(row, inclusive=inclusive) for row in table.rows("rates")),
        reverse_charge=table.flag("reverse_charge", default=False),
        home_country=table.optional("home_country", lambda key: table.matching(key, *_COUNTRY)),
    )
    table.close()
    return policy


def _tax_rate(table: Table, *, inclusive: bool) -> TaxRate:
    rate = TaxRate(
        name=table.text("name"),
        percent=table.percent("percent"),
        inclusive=inclusive,
        country=table.optional("country", lambda key: table.matching(key, *_COUNTRY)),
    )
    table.close()
    return rate


def _pack(code: str, table: Table) -> CreditPack:
    pack = CreditPack(
        code=code, name=table.text("name"), credits=table.credits("credits"), price=table.money("price", least=1)
    )
    table.close()
    return pack


def _custom_recharge(table: Table) -> CustomRecharge:
    key = "credits_per_currency_unit"
    unit, currency = table.reading.credit_unit, table.reading.currency
    rate = unit.from_steps(table.credits(key))
    exact = steps_per_minor(rate, unit, currency)
    if exact is None and table.is_sound(key):
        table.note(
            key, f"expected a rate at which the smallest coin of {currency} buys a whole number of the unit's steps"
        )
    custom = CustomRecharge(
        minimum=table.money("minimum", least=1),
        maximum=table.money("maximum", least=1),
        credits_per_currency_unit=rate,
        steps_per_minor=exact or 1,
    )
    table.close()
    return custom


def _auto_recharge(table: Table, packs: frozenset[str]) -> AutoRechargeTerms:
    mode = table.choice("mode", AutoRechargeMode)
    buys_pack = mode is AutoRechargeMode.PACK
    other = "default_target" if buys_pack else "default_pack"
    if other in table and table.is_sound("mode"):
        table.note(other, f'expected none in the mode "{mode.value}"')
    terms = AutoRechargeTerms(
        trigger=table.choice("trigger", AutoRechargeTrigger),
        mode=mode,
        default_threshold=table.credits("default_threshold", least=0),
        default_pack=table.reference("default_pack", "pack", packs) if buys_pack else None,
        default_target=None if buys_pack else table.credits("default_target"),
        default_spending_limit=table.money("default_spending_limit", least=1),
    )
    table.close()
    return terms


def _welcome_bonus(table: Table) -> WelcomeBonusTerms:
    terms = WelcomeBonusTerms(
        credits=table.credits("credits"), expires_in_days=table.count("expires_in_days", least=1, most=_MAX_DAYS)
    )
    table.close()
    return terms
