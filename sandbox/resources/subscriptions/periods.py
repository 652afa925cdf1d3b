"""Billing periods: how long an interval is, and where the next period ends. Pure; times are seconds since 1970 in UTC."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.objects import Json

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
_SECONDS_OF_A_DAY = 86400
# the longest that Stripe bills for at once
LONGEST_YEARS = 3


@dataclass(frozen=True)
class Interval:
    """How often a recurring price is billed: every so many days or every so many months."""

    days: int = 0
    months: int = 0

    def divides(self, other: Interval) -> bool:
        """Whether each boundary of the other interval is one of this interval, so that both can share a subscription."""
        if self.days:
            return bool(other.days) and other.days % self.days == 0
        return bool(other.months) and other.months % self.months == 0

    def order(self) -> int:
        """Return what compares intervals by their length: its days, a month counted as 28."""
        return self.days or self.months * 28


def interval_of(price: Json) -> Interval:
    """Return the interval of a recurring price."""
    return interval(price["recurring"]["interval"], price["recurring"]["interval_count"])


def interval(unit: str, count: int) -> Interval:
    """Return the interval of so many days, weeks, months or years."""
    if unit in _DAYS:
        return Interval(days=_DAYS[unit] * count)
    return Interval(months=_MONTHS[unit] * count)


def shifted(at: int, every: Interval, anchor: int, times: int = 1) -> int:
    """Return the time so many intervals after another (before it if negative).

    Months keep the anchor's day and time of day; where a month has no such day, its last one counts.
    """
    if every.days:
        return at + times * every.days * _SECONDS_OF_A_DAY
    start, day_and_time = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(anchor, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + times * every.months, 12)
    day = min(day_and_time.day, monthrange(year, month + 1)[1])
    return int(day_and_time.replace(year=year, month=month + 1, day=day).timestamp())


def boundary_after(now: int, every: Interval, anchor: int) -> int:
    """Return the first time after `now` that lies a whole number of intervals from the anchor."""
    length = shifted(anchor, every, anchor) - anchor
    times = (now - anchor) // length - 1
    while shifted(anchor, every, anchor, times) <= now:
        times += 1
    while shifted(anchor, every, anchor, times - 1) > now:
        times -= 1
    return shifted(anchor, every, anchor, times)


def natural_end(start: int, every: Interval, anchor: int) -> int:
    """Return where a period ends by itself: a whole interval later, or at the next boundary if it began between two."""
    if is_boundary(start, every, anchor):
        return shifted(start, every, anchor)
    return boundary_after(start, every, anchor)


def is_boundary(at: int, every: Interval, anchor: int) -> bool:
    """Whether a time is one that periods may begin at: of days counted from the anchor, of months on the anchor's day."""
    if every.days:
        return (at - anchor) % (every.days * _SECONDS_OF_A_DAY) == 0
    return shifted(at, every, anchor, 0) == at


def period_around(at: int, start: int, every: Interval, anchor: int) -> tuple[int, int]:
    """Return the period that contains `at`, of those that follow one another from `start` on."""
    end = natural_end(start, every, anchor)
    while end <= at:
        start, end = end, natural_end(end, every, anchor)
    return start, end


def full_seconds(start: int, end: int, every: Interval, anchor: int) -> int:
    """Return the length that the full price pays for, by which a part of a period is measured.

    It is the period's own length; of a period that was cut short (a stub), that of a full period that begins where the stub
    begins.
    """
    if is_boundary(start, every, anchor) and end == shifted(start, every, anchor):
        return end - start
    return shifted(start, every, start) - start
