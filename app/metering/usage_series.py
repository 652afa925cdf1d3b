"""Use per day: each day of a period so far, zeros included."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from app.billing.allowances.usage_periods import UsagePeriod
from app.store.usage_reads import DaysOfUse

_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal(0)


class DailyUse(NamedTuple):
    """What was used on a day, in UTC, or the level at which a gauge was at its end."""

    day: date
    used: Decimal


def counter_series(
    rows: Iterable[DaysOfUse], resource: str, period: UsagePeriod, now: datetime
) -> tuple[DailyUse, ...]:
    """What was used of a counter on each day, oldest first."""
    used = _used(row for row in rows if row.resource == resource and row.period_start == period.start)
    return tuple(DailyUse(day, used.get(day, _NOTHING)) for day in _days(period, now, used))


def gauge_series(
    rows: Iterable[DaysOfUse], resource: str, period: UsagePeriod, now: datetime, level: Decimal
) -> tuple[DailyUse, ...]:
    """The level of a gauge on each day, oldest first: a day without a report has that of the day before, the last one `level`."""
    own = [row for row in rows if row.resource == resource]
    levels = _used(row for row in own if row.period_start == period.start)
    before = _used(row for row in own if row.period_start < period.start)
    days = _days(period, now, levels)
    # of a gauge that nobody reported in this period the level is what it was before it
    at = level if not levels else before[max(before)] if before else _NOTHING
    series: list[DailyUse] = []
    for day in days:
        at = levels.get(day, at)
        series.append(DailyUse(day, at))
    return (*series[:-1], DailyUse(days[-1], level))


def _used(rows: Iterable[DaysOfUse]) -> dict[date, Decimal]:
    return {
        date.fromisoformat(day): Decimal(used) for row in rows for day, used in zip(row.days, row.used, strict=True)
    }


def _days(period: UsagePeriod, now: datetime, used: Iterable[date]) -> list[date]:
    """The days so far; also tomorrow, where the clock of a sender is a little ahead."""
    first = period.start.astimezone(UTC).date()
    last = max([now.astimezone(UTC).date(), *used])
    return [first + number * _DAY for number in range((last - first).days + 1)]
