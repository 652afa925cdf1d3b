"""What changes of a subscription come to, said once more in the plainest way: prices, days and rounding. Nothing of the product.

Amounts are in cents. Of an item that changes, what was charged for the time that is left goes back, and the new item is charged for
that time; each line is rounded by itself, half a cent downwards. Tax on top is rounded on each line, half a cent upwards.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

_RANKS = {"personal": 10, "starter": 10, "team": 20, "business": 30}
_NUMBER = {"MONTH": 400, "YEAR": 4000}


@dataclass(frozen=True, slots=True)
class Has:
    """A plan, how often it is billed, its seats and phone numbers."""

    plan: str
    interval: str
    seats: int
    numbers: int = 0


@dataclass(frozen=True, slots=True)
class Market:
    """What is sold.

    `prices` are a plan's base price and that of a seat, by the month and by the year; `seats` are a plan's fewest and most;
    `numbers` is the most of phone numbers; `tax_on_top` is a fraction.
    """

    prices: Mapping[str, Mapping[str, tuple[int, int]]]
    seats: Mapping[str, tuple[int, int]]
    numbers: int = 0
    tax_on_top: Fraction = Fraction(0)

    def items(self, has: Has) -> dict[str, int]:
        """What each item costs for a full period, by a name that tells items of other prices apart."""
        base, seat = self.prices[has.plan][has.interval]
        items = {
            f"{has.plan} {has.interval}": base,
            f"{has.plan} seats {has.interval}": seat * has.seats,
            f"numbers {has.interval}": _NUMBER[has.interval] * has.numbers,
        }
        return {name: amount for name, amount in items.items() if amount}

    def total(self, lines: list[int]) -> int:
        """The lines and the tax on top of them."""
        return sum(lines) + sum(self._tax(line) for line in lines)

    def _tax(self, line: int) -> int:
        tax = abs(line) * self.tax_on_top
        return (-1 if line < 0 else 1) * int(tax + Fraction(1, 2))

    def decided(
        self, present: Has, plan: str, interval: str | None, seats: int | None, numbers: int | None
    ) -> tuple[Has, Has]:
        """What there is at once, and what from the period's end on."""
        fewest, most = self.seats[plan]
        later = Has(
            plan,
            interval or present.interval,
            seats if seats is not None else max(fewest, min(most, present.seats)),
            numbers if numbers is not None else present.numbers,
        )
        if _RANKS[plan] < _RANKS[present.plan]:
            return present, later
        is_yearly = "YEAR" in (present.interval, later.interval)
        now = Has(
            plan,
            "YEAR" if is_yearly else "MONTH",
            max(present.seats, later.seats),
            max(present.numbers, later.numbers),
        )
        return now, later


EUROS = Market(
    prices={
        "personal": {"MONTH": (900, 0), "YEAR": (9000, 0)},
        "team": {"MONTH": (0, 1900), "YEAR": (0, 19000)},
        "business": {"MONTH": (0, 3900), "YEAR": (0, 39000)},
    },
    seats={"personal": (1, 1), "team": (2, 50), "business": (5, 500)},
)
DOLLARS = Market(
    prices={
        "starter": {"MONTH": (0, 1500), "YEAR": (0, 15000)},
        "business": {"MONTH": (0, 2900), "YEAR": (0, 29000)},
    },
    seats={"starter": (1, 10), "business": (1, 200)},
    numbers=9,
    tax_on_top=Fraction(75, 1000),
)


@dataclass(frozen=True, slots=True)
class _Paid:
    """What was charged for an item, and for which time."""

    amount: int
    start: datetime
    end: datetime


@dataclass(slots=True)
class Subscription:
    """A subscription with what was paid for each of its items."""

    market: Market
    has: Has
    start: datetime
    end: datetime
    anchor: datetime
    later: Has | None = None
    paid: dict[str, _Paid] = field(default_factory=dict[str, _Paid])

    @classmethod
    def begun(cls, market: Market, has: Has, start: datetime) -> Subscription:
        """A subscription that has just begun, its first period paid."""
        new = cls(market, has, start, period_end(start, has.interval, start), start)
        new._pay_in_full()
        return new

    def change(self, now: Has, later: Has, at: datetime) -> int:
        """Change at a moment to what there is `now`, with what there is `later`; what it costs, tax included."""
        before, after = self.market.items(self.has), self.market.items(now)
        end = self.end if now.interval == self.has.interval else period_end(self.start, now.interval, self.anchor)
        lines: list[int] = []
        for name in before.keys() | after.keys():
            if before.get(name) == after.get(name):
                continue
            if (paid := self.paid.pop(name, None)) is not None:
                lines.append(_rounded(-paid.amount * _share(at, paid.end, paid.start, paid.end)))
            if name in after:
                charged = _rounded(after[name] * _share(at, end, self.start, end))
                self.paid[name] = _Paid(charged, at, end)
                lines.append(charged)
        self.has, self.end, self.later = now, end, later if later != now else None
        return self.market.total(lines)

    def renew(self) -> int:
        """Go on to the next period, with what was decided for it; what the renewal costs, tax included."""
        interval, self.has, self.later = self.has.interval, self.later or self.has, None
        if self.has.interval != interval:
            self.anchor = self.end
        self.start, self.end = self.end, period_end(self.end, self.has.interval, self.anchor)
        return self._pay_in_full()

    def copied(self) -> Subscription:
        """The same once more, to see what a change would do."""
        return replace(self, paid=dict(self.paid))

    def _pay_in_full(self) -> int:
        self.paid = {name: _Paid(amount, self.start, self.end) for name, amount in self.market.items(self.has).items()}
        return self.market.total([each.amount for each in self.paid.values()])


def period_end(start: datetime, interval: str, anchor: datetime) -> datetime:
    """When a period ends: on the anchor's day, or on a month's last where it has no such day."""
    months = start.year * 12 + start.month - 1 + (12 if interval == "YEAR" else 1)
    year, month = divmod(months, 12)
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, calendar.monthrange(year, month + 1)[1]))


def _share(since: datetime, until: datetime, start: datetime, end: datetime) -> Fraction:
    return Fraction(int((until - since).total_seconds()), int((end - start).total_seconds()))


def _rounded(exact: Fraction) -> int:
    """The nearest whole number, a half downwards, also below zero."""
    return math.ceil(exact - Fraction(1, 2))
