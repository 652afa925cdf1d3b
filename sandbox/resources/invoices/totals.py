"""The totals of an invoice, and what the customer's balance leaves to pay. Pure and exact.

Amounts are integers in the currency's smallest unit.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.objects import Json
from sandbox.resources.tax.tax_amounts import amount_to_pay, amount_without_tax


def invoice_totals(lines: Sequence[Json]) -> Json:
    """Return the fields of an invoice that are sums over its lines."""
    subtotal = sum(line["amount"] for line in lines)
    taxes = [tax for line in lines for tax in line["taxes"]]
    excluding_tax = sum(amount_without_tax(line["amount"], line["taxes"]) for line in lines)
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": excluding_tax,
        "total": sum(amount_to_pay(line["amount"], line["taxes"]) for line in lines),
        "total_excluding_tax": excluding_tax,
        "total_taxes": _sums_per_rate(taxes),
    }


def _sums_per_rate(taxes: Sequence[Json]) -> list[Json]:
    sums: dict[tuple[str, str], Json] = {}
    for tax in taxes:
        key = (tax["tax_rate_details"]["tax_rate"], tax["taxability_reason"])
        if key in sums:
            sums[key]["amount"] += tax["amount"]
            sums[key]["taxable_amount"] += tax["taxable_amount"]
        else:
            sums[key] = dict(tax)
    return list(sums.values())


def apply_balance(total: int, balance: int, minimum: int) -> tuple[int, int]:
    """Return the amount due and the customer's balance after it.

    A negative balance is credit and is used first; a positive one is added to the amount due. An amount below `minimum`, the
    least that can be charged, is not due now: it stays in the balance. A negative total becomes credit.
    """
    due = total + balance
    if due < minimum:
        return 0, due
    return due, 0
