"""What part of a price is due for part of a period, and what is given back. Pure and exact.

Amounts are integers in the currency's smallest unit, times seconds since 1970. Each share is rounded by itself to the nearest
unit, exact halves toward minus infinity.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from sandbox.objects import Json


def nearest(amount: Fraction) -> int:
    """Return the nearest integer, exact halves toward minus infinity."""
    return ceil(amount - Fraction(1, 2))


def full_amount(price: Json, quantity: int) -> Fraction:
    """Return what so many units of a price cost for a full period, not rounded."""
    return Fraction(price["unit_amount_decimal"]) * quantity


def share_of_price(price: Json, quantity: int, seconds: int, full: int) -> int:
    """Return what so many units cost for some seconds of a period whose full length is given too."""
    return nearest(full_amount(price, quantity) * Fraction(seconds, full))


def credit_for(debit: Json, at: int) -> int:
    """Return what is given back, as a negative amount, of a debit for the time from `at` on.

    A debit says what was charged for the time from its `start` to its `end`; what it was already credited for is not in it.
    """
    seconds = debit["end"] - max(at, debit["start"])
    return nearest(Fraction(-debit["amount"] * seconds, debit["end"] - debit["start"]))


def uncredited(debits: list[Json], at: int) -> list[Json]:
    """Return the debits that pay for time after `at`."""
    return [debit for debit in debits if debit["end"] > at]


def new_debit(amount: int, start: int, end: int, rates: list[str], **origin: str | None) -> Json:
    """Return the record of a charge for the time from `start` to `end`, with its tax rates and the lines it came from.

    `origin` names the `invoice`, its `line` and the `invoice_item`, as far as there are such.
    """
    return {"amount": amount, "start": start, "end": end, "rates": rates, "invoice": None, "line": None} | origin
