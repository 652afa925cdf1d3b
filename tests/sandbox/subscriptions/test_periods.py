"""Billing periods: month ends, leap years, anchors, and what a part of a period is measured by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.resources.subscriptions.periods import (
    boundary_after,
    full_seconds,
    interval,
    is_boundary,
    natural_end,
    period_around,
    shifted,
)

DAY = 86400


def at(text: str) -> int:
    """Return a time of day in UTC in seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("anchor", "unit", "ends"),
    [
        ("2025-01-31T12:00", "month", ["2025-02-28T12:00", "2025-03-31T12:00", "2025-04-30T12:00"]),
        ("2024-01-30T00:00", "month", ["2024-02-29T00:00", "2024-03-30T00:00"]),
        ("2024-02-29T08:00", "year", ["2025-02-28T08:00", "2026-02-28T08:00", "2027-02-28T08:00", "2028-02-29T08:00"]),
        ("2025-01-01T00:00", "week", ["2025-01-08T00:00", "2025-01-15T00:00"]),
    ],
)
def test_periods_keep_the_anchors_day_or_end_with_a_shorter_month(anchor: str, unit: str, ends: list[str]) -> None:
    every, end = interval(unit, 1), at(anchor)
    for expected in ends:
        end = natural_end(end, every, at(anchor))
        assert end == at(expected)


@pytest.mark.parametrize(
    ("start", "anchor", "end", "full_days"),
    [
        # a whole month from the anchor's day on
        ("2025-02-15", "2025-01-15", "2025-03-15", 28),
        # between two boundaries: measured by a month that begins where the part begins
        ("2025-02-15", "2025-03-01", "2025-03-01", 28),
        ("2025-01-10", "2025-02-01", "2025-02-01", 31),
        ("2025-01-03", "2025-01-15", "2025-01-15", 31),
        ("2024-02-15", "2024-03-01", "2024-03-01", 29),
    ],
)
def test_a_part_of_a_period_is_measured_by_a_full_one_from_its_start(
    start: str, anchor: str, end: str, full_days: int
) -> None:
    every = interval("month", 1)
    assert natural_end(at(start), every, at(anchor)) == at(end)
    assert full_seconds(at(start), at(end), every, at(anchor)) == full_days * DAY


def test_the_next_boundary_is_found_from_an_anchor_before_or_after() -> None:
    every, now = interval("month", 1), at("2025-05-20T10:00")
    assert boundary_after(now, every, at("2024-01-31T09:00")) == at("2025-05-31T09:00")
    assert boundary_after(now, every, at("2025-06-15T00:00")) == at("2025-06-15T00:00")
    assert boundary_after(now, every, at("2025-07-15T00:00")) == at("2025-06-15T00:00")
    assert boundary_after(now, every, now) == at("2025-06-20T10:00")


def test_the_period_around_a_time_is_counted_from_a_start() -> None:
    start = at("2025-11-10T18:29")
    assert period_around(at("2025-11-20"), start, interval("year", 1), start) == (start, at("2026-11-10T18:29"))
    month = period_around(at("2026-04-01"), start, interval("month", 1), start)
    assert month == (at("2026-03-10T18:29"), at("2026-04-10T18:29"))


def test_only_a_multiple_of_an_interval_shares_its_boundaries() -> None:
    month, quarter, year, week = interval("month", 1), interval("month", 3), interval("year", 1), interval("week", 1)
    assert month.divides(quarter)
    assert quarter.divides(year)
    assert not quarter.divides(month)
    assert not week.divides(month)
    assert not month.divides(week)
    assert is_boundary(at("2025-02-28"), month, at("2025-01-31"))
    assert shifted(at("2025-03-31"), month, at("2025-03-31"), -1) == at("2025-02-28")
