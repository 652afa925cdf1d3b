"""The amounts of tax of a line, by its tax rates. Pure and exact.

Amounts are integers in the currency's smallest unit; tax is rounded for each line and rate, halves away from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from sandbox.objects import Json

_REASON_FOR_NO_TAX = {"exempt": "customer_exempt", "reverse": "reverse_charge"}


def round_amount(amount: Decimal) -> int:
    """Return the nearest integer, halves away from zero."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def line_taxes(amount: int, rates: Sequence[Json], tax_exempt: str | None) -> list[Json]:
    """Return the taxes of one line.

    The tax of inclusive rates is part of the amount; exclusive rates add tax to it. Both are computed from the net amount:
    what remains without the tax of all inclusive rates together, which is each tax's `taxable_amount`. Customers who are
    exempt, or who pay the tax to their tax office themselves (reverse charge), are charged that amount and no tax: neither
    what exclusive rates would add nor what lies within the price.
    """
    inclusive = sum((_fraction(rate) for rate in rates if rate["inclusive"]), Decimal(0))
    net = Decimal(amount) / (1 + inclusive)
    no_tax_reason = _REASON_FOR_NO_TAX.get(tax_exempt or "none")
    taxes: list[Json] = [
        {
            "amount": round_amount(net * _fraction(rate)),
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": no_tax_reason or ("standard_rated" if rate["_percentage"] != "0" else "zero_rated"),
            "taxable_amount": 0,
            "type": "tax_rate_details",
        }
        for rate in rates
    ]
    included = sum_of(taxes, "inclusive")
    for tax in taxes:
        tax["taxable_amount"] = amount - included
        if no_tax_reason:
            tax["amount"] = 0
    return taxes


def amount_without_tax(amount: int, taxes: Sequence[Json]) -> int:
    """Return a line's amount without the tax that lies within it, also that which the customer is not charged."""
    return taxes[0]["taxable_amount"] if taxes else amount


def amount_to_pay(amount: int, taxes: Sequence[Json]) -> int:
    """Return what the customer pays for a line: its amount without tax, and each tax charged."""
    return amount_without_tax(amount, taxes) + sum(tax["amount"] for tax in taxes)


def sum_of(taxes: Sequence[Json], tax_behavior: str) -> int:
    """Return the sum of the inclusive or of the exclusive taxes."""
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == tax_behavior)


def _fraction(rate: Json) -> Decimal:
    return Decimal(rate["_percentage"]) / 100
