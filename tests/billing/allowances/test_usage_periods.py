"""Usage periods: months without a gap, counted from a day that the first subscription moves once by lengthening."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.billing.allowances.usage_periods import (
    UsagePeriod,
    last_month,
    month_around,
    months_after,
    period_before,
    usage_period,
)

_MOMENT = timedelta(microseconds=1)
_TWO_MONTHS = timedelta(days=62)


class Workspace(NamedTuple):
    """A workspace that began, and perhaps subscribed: `usage_anchor` is when, `usage_anchored_at` when that became known."""

    created_at: datetime
    usage_anchor: datetime | None = None
    usage_anchored_at: datetime | None = None


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# leap years among them: 2096 is the last one before a century without
_FIRST = datetime(2023, 1, 1, tzinfo=UTC)
times = st.timedeltas(timedelta(), timedelta(days=28_000)).map(lambda later: _FIRST + later)


def _in_month(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, min(day, monthrange(year, month)[1]), 10, 30, tzinfo=UTC)


# the ends of months, more often than chance would have them
starts = times | st.builds(_in_month, st.integers(2023, 2100), st.integers(1, 12), st.integers(28, 31))
spans = st.timedeltas(timedelta(), timedelta(days=800))


def _subscribed(created: datetime, after: timedelta, late: timedelta) -> Workspace:
    return Workspace(created, created + after, created + max(after + late, timedelta()))


# known a while after it began; an imported customer has subscribed long before the workspace was made
subscribed = st.builds(
    _subscribed,
    starts,
    st.timedeltas(timedelta(days=-800), timedelta(days=800)),
    st.sampled_from([timedelta(), timedelta(seconds=3), timedelta(days=2)]),
)
workspaces = starts.map(Workspace) | subscribed


@given(workspaces, spans)
@example(Workspace(_day("2024-01-31"), _day("2024-02-29"), _day("2024-02-29")), timedelta(days=29))
def test_periods_follow_one_another_without_gap_or_overlap(workspace: Workspace, later: timedelta) -> None:
    at = workspace.created_at + later
    period = usage_period(workspace, at)

    assert period.start <= at < period.end
    assert usage_period(workspace, period.start) == usage_period(workspace, period.end - _MOMENT) == period
    following, before = usage_period(workspace, period.end), period_before(workspace, period)
    assert following.start == period.end
    assert before.end == period.start
    assert before.ordinal < period.ordinal < following.ordinal


@given(workspaces, spans)
def test_every_period_is_a_month_but_for_the_one_that_was_lengthened(workspace: Workspace, later: timedelta) -> None:
    period = usage_period(workspace, workspace.created_at + later)
    anchored_at = workspace.usage_anchored_at
    if anchored_at is not None and period == usage_period(workspace, anchored_at):
        assert timedelta(days=28) <= period.end - period.start < _TWO_MONTHS
    else:
        anchors = [each for each in workspace[:2] if each is not None]
        assert period in [month_around(period.start, each) for each in anchors]


@given(subscribed)
def test_the_first_subscription_lengthens_the_running_period_and_shortens_none(workspace: Workspace) -> None:
    assert workspace.usage_anchor is not None
    assert workspace.usage_anchored_at is not None
    replaced = UsagePeriod(*month_around(workspace.usage_anchored_at, workspace.created_at))
    running = usage_period(workspace, workspace.usage_anchored_at)

    assert running.start == replaced.start
    assert replaced.end <= running.end < replaced.end + timedelta(days=31)
    assert running.ordinal == replaced.ordinal
    assert period_before(workspace, running) == period_before(Workspace(workspace.created_at), replaced)


@given(starts, spans, st.integers(1, 30))
@example(datetime(2023, 3, 31, 10, 30, tzinfo=UTC), timedelta(days=30), 1)
def test_renewals_of_the_first_subscription_begin_periods(created: datetime, after: timedelta, renewals: int) -> None:
    began = created + after
    workspace = Workspace(created, began, began)

    renewed_at = months_after(began, renewals)

    # no period is shortened: one that ends on a day that the subscription's month lacks lasts until the renewal after it
    is_within = renewed_at < month_around(began, created)[1]
    assert (usage_period(workspace, renewed_at).start == renewed_at) is not is_within


@given(starts, spans)
@example(_day("2030-01-28"), timedelta(days=3))
def test_a_workspace_that_subscribes_has_one_month_left_of_its_period(created: datetime, after: timedelta) -> None:
    began = created + after
    workspace = Workspace(created, began, began)

    running = usage_period(workspace, began)

    # a second one where the first would end the period before its time, on a day that its month lacks
    months = 1 if months_after(began, 1) >= month_around(began, created)[1] else 2
    assert running.end == months_after(began, months)
    assert last_month(workspace, running) == months_after(began, months - 1)


@given(workspaces, spans)
def test_the_month_that_a_period_ends_with_begins_in_it(workspace: Workspace, later: timedelta) -> None:
    period = usage_period(workspace, workspace.created_at + later)

    month = last_month(workspace, period)

    assert period.start <= month < period.end
    anchored_at = workspace.usage_anchored_at
    if anchored_at is None or period != usage_period(workspace, anchored_at):
        assert month == period.start


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        ("2027-12-31", "2027-12-10", "2028-01-10"),
        ("2028-01-25", "2028-01-10", "2028-02-29"),
        ("2028-02-28", "2028-01-10", "2028-02-29"),
        ("2028-02-29", "2028-02-29", "2028-03-31"),
        ("2028-03-31", "2028-03-31", "2028-04-30"),
        ("2029-02-28", "2029-02-28", "2029-03-31"),
    ],
)
def test_a_subscription_of_the_31st_renews_on_the_last_day_of_short_months(at: str, start: str, end: str) -> None:
    workspace = Workspace(_day("2027-11-10"), _day("2028-01-31"), _day("2028-01-31"))
    assert usage_period(workspace, _day(at)) == (_day(start), _day(end))


def test_summer_time_changes_no_period() -> None:
    # in Amsterdam the clocks go forward on 31 March 2030
    workspace = Workspace(_day("2030-03-30T23:30"))
    assert usage_period(workspace, _day("2030-04-01")) == (_day("2030-03-30T23:30"), _day("2030-04-30T23:30"))


def test_an_imported_customers_period_is_lengthened_to_the_day_of_the_subscription() -> None:
    workspace = Workspace(_day("2030-03-20"), _day("2025-06-05"), _day("2030-03-21"))
    assert usage_period(workspace, _day("2030-04-21")) == (_day("2030-03-20"), _day("2030-05-05"))
    assert usage_period(workspace, _day("2030-05-05")) == (_day("2030-05-05"), _day("2030-06-05"))
    assert last_month(workspace, usage_period(workspace, _day("2030-04-21"))) == _day("2030-04-05")
