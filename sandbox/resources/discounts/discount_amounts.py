"""What discounts take off the lines of an invoice. Pure and exact.

Amounts are integers in the currency's smallest unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sandbox.objects import Json
from sandbox.resources.tax.tax_amounts import round_amount


def amounts_off(amounts: Sequence[int], discounts: Sequence[Json]) -> list[list[Json]]:
    """Return for each line's amount what each discount takes off it, as `discount_amounts` lists them.

    A percentage is taken of each line, rounded half up. An amount is spread over the lines by what is left of them, each share
    rounded down and the rest on the last. Nothing is taken off a line of 0 or below, nor more than there is.
    """
    left = [max(amount, 0) for amount in amounts]
    taken: list[list[Json]] = [[] for _ in amounts]
    for discount in discounts:
        shares = _by_percent(left, discount) if discount["_percent"] is not None else _by_amount(left, discount)
        for place, share in enumerate(shares):
            left[place] -= share
            if share:
                taken[place].append({"amount": share, "discount": discount["id"]})
    return taken


def _by_percent(left: Sequence[int], discount: Json) -> list[int]:
    return [round_amount(Decimal(amount) * Decimal(discount["_percent"]) / 100) for amount in left]


def _by_amount(left: Sequence[int], discount: Json) -> list[int]:
    total = sum(left)
    off = min(discount["_amount_off"], total)
    shares = [off * amount // total if total else 0 for amount in left]
    for place in range(len(shares) - 1, -1, -1):
        if left[place]:
            shares[place] += off - sum(shares)
            break
    return shares
