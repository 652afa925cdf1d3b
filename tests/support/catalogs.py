"""A small catalog without mistakes that has one of everything, for tests to break."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.catalog import CatalogError, load_catalog

SHOP = """
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
transition.to = "free"
transition.message = "Free is free."
allowances.calls.limit = 50
allowances.disk.limit = 50
"""


def problems_of(text: str, folder: Path) -> list[tuple[str, str]]:
    """The keys and messages that loading `text` complains of; both must be in the error's text, after the file's name."""
    path = folder / "shop.toml"
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_catalog(path)
    assert str(caught.value).startswith(f"{path}: ")
    for problem in caught.value.problems:
        assert f"\n  {problem}" in str(caught.value)
    return [(problem.key, problem.message) for problem in caught.value.problems]
