"""The arithmetic of tax and balance, in whole cents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import Json
from sandbox.resources.invoices.totals import due_after_balance, line_taxes, totals


def rate(percentage: str, *, inclusive: bool, rate_id: str = "txr_1") -> Json:
    return {"id": rate_id, "inclusive": inclusive, "_percentage": percentage}


def taxed(amount: int, *rates: Json, exempt: str = "none") -> Json:
    return totals([{"amount": amount, "taxes": line_taxes(amount, rates, exempt)}])


@pytest.mark.parametrize(
    ("amount", "percentage", "tax"),
    [(500, "21", 87), (1000, "21", 174), (2500, "21", 434), (5000, "21", 868), (121, "21", 21), (999, "8.1", 75)],
)
def test_an_inclusive_tax_lies_within_the_price(amount: int, percentage: str, tax: int) -> None:
    sums = taxed(amount, rate(percentage, inclusive=True))
    assert sums["total"] == amount
    assert sums["total_taxes"][0]["amount"] == tax
    assert sums["total_excluding_tax"] == sums["subtotal_excluding_tax"] == amount - tax
    assert sums["total_taxes"][0]["taxable_amount"] == amount - tax


@pytest.mark.parametrize(
    ("amount", "percentage", "tax"),
    [(1000, "21", 210), (500, "8.875", 44), (50, "1", 1), (150, "1", 2), (49, "1", 0), (10000, "7.25", 725)],
)
def test_an_exclusive_tax_comes_on_top_and_halves_round_up(amount: int, percentage: str, tax: int) -> None:
    sums = taxed(amount, rate(percentage, inclusive=False))
    assert sums["total"] == amount + tax
    assert sums["subtotal"] == sums["total_excluding_tax"] == amount


def test_several_inclusive_rates_share_one_net_amount() -> None:
    sums = taxed(12100, rate("11", inclusive=True), rate("10", inclusive=True, rate_id="txr_2"))
    assert [tax["amount"] for tax in sums["total_taxes"]] == [1100, 1000]
    assert sums["total_excluding_tax"] == 10000


def test_taxes_are_summed_per_rate_over_the_lines() -> None:
    vat = rate("21", inclusive=False)
    lines = [{"amount": amount, "taxes": line_taxes(amount, [vat], "none")} for amount in (333, 333, 334)]
    assert totals(lines)["total_taxes"][0]["amount"] == 70 + 70 + 70
    assert totals(lines)["total_taxes"][0]["taxable_amount"] == 1000


@pytest.mark.parametrize(("exempt", "reason"), [("reverse", "reverse_charge"), ("exempt", "customer_exempt")])
def test_who_owes_no_tax_pays_the_price_as_it_stands(exempt: str, reason: str) -> None:
    for inclusive in (True, False):
        sums = taxed(1000, rate("21", inclusive=inclusive), exempt=exempt)
        assert sums["total"] == 1000
        assert (sums["total_taxes"][0]["amount"], sums["total_taxes"][0]["taxability_reason"]) == (0, reason)


@given(st.integers(0, 10**9), st.integers(0, 10_000))
def test_net_and_tax_always_add_up_to_the_price(amount: int, hundredths: int) -> None:
    sums = taxed(amount, rate(f"{hundredths / 100:.2f}", inclusive=True))
    assert sums["total_excluding_tax"] + sum(tax["amount"] for tax in sums["total_taxes"]) == amount


@pytest.mark.parametrize(
    ("total", "balance", "due", "after"),
    [
        (1000, 0, 1000, 0),
        (1000, -300, 700, 0),
        (1000, -1500, 0, -500),
        (1000, 200, 1200, 0),
        (49, 0, 0, 49),
        (1000, -960, 0, 40),
        (-500, 0, 0, -500),
    ],
)
def test_credit_pays_first_and_too_small_an_amount_is_carried_over(
    total: int, balance: int, due: int, after: int
) -> None:
    assert due_after_balance(total, balance) == (due, after)
