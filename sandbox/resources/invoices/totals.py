"""The totals of an invoice, and what the customer's balance leaves to pay. Pure and exact.

Amounts are integers in the currency's smallest unit.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.objects import Json
from sandbox.resources.discounts.discount_amounts import amounts_off
from sandbox.resources.tax.tax_amounts import amount_to_pay, amount_without_tax


def take_off_discounts(lines: Sequence[Json], discounts: Sequence[Json]) -> None:
    """Set what each line's own discounts, and then the invoice's, take off it; prorations and credits are not discounted."""
    for line in lines:
        if line["_discounts"]:
            [taken] = amounts_off([line["amount"]], line["_discounts"])
            line["discount_amounts"] = taken
            line["discounts"] = [discount["id"] for discount in line["_discounts"]]
    # an amount is spread in the order in which the lines were made
    discountable = sorted((line for line in lines if line["discountable"]), key=lambda line: line["_made"])
    left = [line["amount"] - sum(off["amount"] for off in line["discount_amounts"]) for line in discountable]
    for line, taken in zip(discountable, amounts_off(left, discounts), strict=True):
        line["discount_amounts"] = line["discount_amounts"] + taken


def invoice_totals(lines: Sequence[Json]) -> Json:
    """Return the fields of an invoice that are sums over its lines."""
    taxes = [tax for line in lines for tax in line["taxes"]]
    excluding_tax = sum(amount_without_tax(_after_discounts(line), line["taxes"]) for line in lines)
    return {
        "subtotal": sum(line["amount"] for line in lines),
        "subtotal_excluding_tax": sum(
            line.get("_without_tax", amount_without_tax(line["amount"], line["taxes"])) for line in lines
        ),
        "total": sum(amount_to_pay(_after_discounts(line), line["taxes"]) for line in lines),
        "total_discount_amounts": _sums_per_discount(lines),
        "total_excluding_tax": excluding_tax,
        "total_taxes": _sums_per_rate(taxes),
    }


def _after_discounts(line: Json) -> int:
    return line["amount"] - sum(off["amount"] for off in line.get("discount_amounts", ()))


def _sums_per_discount(lines: Sequence[Json]) -> list[Json]:
    sums: dict[str, int] = {}
    for line in lines:
        for off in line.get("discount_amounts", ()):
            sums[off["discount"]] = sums.get(off["discount"], 0) + off["amount"]
    return [{"amount": amount, "discount": discount} for discount, amount in sums.items()]


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
