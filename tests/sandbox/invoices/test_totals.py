"""The totals of an invoice, in whole cents."""

from __future__ import annotations

import pytest

from sandbox.resources.invoices.totals import apply_balance, invoice_totals
from sandbox.resources.tax.tax_amounts import line_taxes
from tests.sandbox.factories import tax_rate


def test_taxes_are_summed_per_rate_over_the_lines() -> None:
    vat = tax_rate("21", inclusive=False)
    lines = [{"amount": amount, "taxes": line_taxes(amount, [vat], "none")} for amount in (333, 333, 334)]
    assert invoice_totals(lines)["total_taxes"][0]["amount"] == 70 + 70 + 70
    assert invoice_totals(lines)["total_taxes"][0]["taxable_amount"] == 1000


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
def test_credit_is_used_first_and_an_amount_below_the_minimum_stays_in_the_balance(
    total: int, balance: int, due: int, after: int
) -> None:
    assert apply_balance(total, balance, 50) == (due, after)
