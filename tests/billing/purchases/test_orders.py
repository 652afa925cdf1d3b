"""What an invoice line says of what was bought."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.billing.purchases.orders import order
from app.catalog import load_catalog
from tests.support.running_backend import CATALOGS


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("10", "10 US dollars of credits"),
        ("10.13", "10.13 US dollars of credits"),
        ("10.5", "10.50 US dollars of credits"),
    ],
)
def test_an_amount_of_credits_is_told_without_the_zeros_at_its_end(amount: str, text: str) -> None:
    catalog = load_catalog(CATALOGS / "compute.toml")
    assert order(catalog, pack_code=None, amount=Decimal(amount)).description == text


def test_a_pack_is_told_by_its_name_and_what_is_in_it() -> None:
    catalog = load_catalog(CATALOGS / "analytics.toml")
    pack = catalog.packs[0]
    described = order(catalog, pack_code=pack.code, amount=None).description
    assert described == f"{pack.name}: {pack.credits:,} {catalog.credit_unit.name}"
