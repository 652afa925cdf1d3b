"""How the amount of a credit note is spread over the lines of its invoice. Pure and exact."""

from __future__ import annotations

from decimal import Decimal

from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.tax.tax_amounts import amount_to_pay, round_amount


def spread(amount: int, invoice: Json) -> list[Json]:
    """Return the lines of a credit note: each line of the invoice gets its share, tax included; the last takes the rest."""
    lines = [line for line in invoice["lines"]["data"] if _paid_for(line) > 0]
    total = sum(_paid_for(line) for line in lines)
    shares = [amount * _paid_for(line) // total for line in lines]
    shares[-1] += amount - sum(shares)
    return [_line(line, share) for line, share in zip(lines, shares, strict=True) if share]


def sums_per_rate(lines: list[Json]) -> list[Json]:
    """Return the sums of the lines' taxes, one for each tax rate."""
    sums: dict[str, Json] = {}
    for tax in (tax for line in lines for tax in line["taxes"]):
        rate = tax["tax_rate_details"]["tax_rate"]
        if rate in sums:
            sums[rate]["amount"] += tax["amount"]
            sums[rate]["taxable_amount"] += tax["taxable_amount"]
        else:
            sums[rate] = dict(tax)
    return list(sums.values())


def _paid_for(line: Json) -> int:
    off = sum(entry["amount"] for entry in line["discount_amounts"])
    return amount_to_pay(line["amount"] - off, line["taxes"])


def _line(line: Json, share: int) -> Json:
    paid = _paid_for(line)
    taxes = [
        tax
        | {
            "amount": round_amount(Decimal(tax["amount"] * share) / paid),
            "taxable_amount": round_amount(Decimal(tax["taxable_amount"] * share) / paid),
        }
        for tax in line["taxes"]
    ]
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    return {
        "id": new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": share - exclusive,
        "description": line["description"],
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": line["id"],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": None,
        "tax_rates": [],
        "taxes": taxes,
        "type": "invoice_line_item",
        "unit_amount": None,
        "unit_amount_decimal": None,
    }
