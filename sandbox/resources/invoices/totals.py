"""The arithmetic of an invoice: taxes of each line, totals, the customer's balance. Pure and exact.

Amounts are integers in the currency's smallest unit; tax is rounded for each line and rate, halves away from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.errors import Json

MINIMUM_CHARGE = 50


def rounded(amount: Decimal) -> int:
    """Return the nearest integer, halves away from zero."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def line_taxes(amount: int, rates: Sequence[Json], tax_exempt: str | None) -> list[Json]:
    """Return the taxes of one line.

    Inclusive rates lie within the amount, all of them together; exclusive ones come on top of what is left without them.
    An exempt customer, or one who accounts for the tax in reverse charge, pays none, and the amount stays what it is.
    """
    inclusive = sum((_fraction(rate) for rate in rates if rate["inclusive"]), Decimal(0))
    net = Decimal(amount) / (1 + inclusive)
    free = {"exempt": "customer_exempt", "reverse": "reverse_charge"}.get(tax_exempt or "none")
    taxes: list[Json] = []
    for rate in rates:
        base = Decimal(amount) if free else net
        taxes.append(
            {
                "amount": 0 if free else rounded(base * _fraction(rate)),
                "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
                "tax_rate_details": {"tax_rate": rate["id"]},
                "taxability_reason": free or ("standard_rated" if rate["_percentage"] != "0" else "zero_rated"),
                "taxable_amount": 0,
                "type": "tax_rate_details",
            }
        )
    contained = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    for tax in taxes:
        tax["taxable_amount"] = amount - contained
    return taxes


def _fraction(rate: Json) -> Decimal:
    return Decimal(rate["_percentage"]) / 100


def totals(lines: Sequence[Json]) -> Json:
    """Return the fields of an invoice that sum up its lines."""
    subtotal = sum(line["amount"] for line in lines)
    taxes = [tax for line in lines for tax in line["taxes"]]
    inclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive,
        "total": subtotal + exclusive,
        "total_excluding_tax": subtotal - inclusive,
        "total_taxes": _per_rate(taxes),
    }


def _per_rate(taxes: Sequence[Json]) -> list[Json]:
    summed: dict[str, Json] = {}
    for tax in taxes:
        key = f"{tax['tax_rate_details']['tax_rate']} {tax['taxability_reason']}"
        known: dict[str, Any] | None = summed.get(key)
        if known is None:
            summed[key] = dict(tax)
        else:
            known["amount"] += tax["amount"]
            known["taxable_amount"] += tax["taxable_amount"]
    return list(summed.values())


def due_after_balance(total: int, balance: int) -> tuple[int, int]:
    """Return the amount due and the customer's balance thereafter.

    A negative balance is credit and pays first; a positive one is added. What stays below the smallest amount that can
    be charged is not due now: it is carried over in the balance. A negative total becomes credit.
    """
    due = total + balance
    if due < MINIMUM_CHARGE:
        return 0, due
    return due, 0
