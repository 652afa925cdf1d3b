"""The amounts of tax of a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.objects import Json
from sandbox.resources.invoices.totals import invoice_totals
from sandbox.resources.tax.tax_amounts import line_taxes
from tests.sandbox.factories import tax_rate


def totals_of_one_line(amount: int, *rates: Json, exempt: str = "none") -> Json:
    return invoice_totals([{"amount": amount, "taxes": line_taxes(amount, rates, exempt)}])


@pytest.mark.parametrize(
    ("amount", "percentage", "tax"),
    [(500, "21", 87), (1000, "21", 174), (2500, "21", 434), (5000, "21", 868), (121, "21", 21), (999, "8.1", 75)],
)
def test_inclusive_tax_is_part_of_the_price(amount: int, percentage: str, tax: int) -> None:
    sums = totals_of_one_line(amount, tax_rate(percentage, inclusive=True))
    assert sums["total"] == amount
    assert sums["total_taxes"][0]["amount"] == tax
    assert sums["total_excluding_tax"] == sums["subtotal_excluding_tax"] == amount - tax
    assert sums["total_taxes"][0]["taxable_amount"] == amount - tax


@pytest.mark.parametrize(
    ("amount", "percentage", "tax"),
    [(1000, "21", 210), (500, "8.875", 44), (50, "1", 1), (150, "1", 2), (49, "1", 0), (10000, "7.25", 725)],
)
def test_exclusive_tax_is_added_and_halves_round_up(amount: int, percentage: str, tax: int) -> None:
    sums = totals_of_one_line(amount, tax_rate(percentage, inclusive=False))
    assert sums["total"] == amount + tax
    assert sums["subtotal"] == sums["total_excluding_tax"] == amount


def test_several_inclusive_rates_share_one_net_amount() -> None:
    sums = totals_of_one_line(12100, tax_rate("11", inclusive=True), tax_rate("10", inclusive=True, rate_id="txr_2"))
    assert [tax["amount"] for tax in sums["total_taxes"]] == [1100, 1000]
    assert sums["total_excluding_tax"] == 10000


@pytest.mark.parametrize(("exempt", "reason"), [("reverse", "reverse_charge"), ("exempt", "customer_exempt")])
def test_a_customer_who_is_charged_no_tax_pays_the_price_without_it(exempt: str, reason: str) -> None:
    for inclusive, to_pay in ((True, 9091), (False, 10_000)):
        sums = totals_of_one_line(10_000, tax_rate("10", inclusive=inclusive), exempt=exempt)
        assert (sums["subtotal"], sums["total"], sums["total_excluding_tax"]) == (10_000, to_pay, to_pay)
        tax = sums["total_taxes"][0]
        assert (tax["amount"], tax["taxable_amount"], tax["taxability_reason"]) == (0, to_pay, reason)


def test_the_tax_that_an_exempt_customer_does_not_pay_is_rounded_for_each_line() -> None:
    rate = tax_rate("10", inclusive=True)
    lines = [{"amount": amount, "taxes": line_taxes(amount, [rate], "exempt")} for amount in (100_000, 5_000)]
    assert invoice_totals(lines)["total"] == 100_000 - 9_091 + 5_000 - 455


def test_an_exempt_customer_pays_neither_the_tax_within_the_price_nor_that_on_top() -> None:
    rates = (
        tax_rate("11", inclusive=True),
        tax_rate("10", inclusive=True, rate_id="txr_2"),
        tax_rate("5", inclusive=False),
    )
    assert totals_of_one_line(12_100, *rates, exempt="reverse")["total"] == 10_000


@given(st.integers(0, 10**9), st.integers(0, 10_000))
def test_net_amount_and_tax_add_up_to_the_price(amount: int, hundredths: int) -> None:
    sums = totals_of_one_line(amount, tax_rate(f"{hundredths / 100:.2f}", inclusive=True))
    assert sums["total_excluding_tax"] + sum(tax["amount"] for tax in sums["total_taxes"]) == amount
