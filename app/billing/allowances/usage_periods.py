"""Usage periods: months, on yearly plans too, counted from a day that the first subscription moves once.

Pure. All times are UTC, so no change to summer time makes a period longer or shorter.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

_MOMENT: Final = timedelta(microseconds=1)


class UsagePeriod(NamedTuple):
    """From `start` on, and before `end`."""

    start: datetime
    end: datetime

    @property
    def ordinal(self) -> int:
        """A number that is higher for each later period of a workspace: no two of them begin in the same month."""
        return self.start.year * 12 + self.start.month


class Anchored(Protocol):
    """What a workspace's usage periods follow from; see `WorkspaceRow`."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def usage_anchor(self) -> datetime | None: ...
    @property
    def usage_anchored_at(self) -> datetime | None: ...


def usage_period(workspace: Anchored, at: datetime) -> UsagePeriod:
    """The period of a workspace that a time is in.

    The first subscription lengthens the period that was running when it began, to the first end of a month counted from its own
    start; it shortens none, and those before stay as they were.
    """
    anchor, anchored_at = workspace.usage_anchor, workspace.usage_anchored_at
    if anchor is None or anchored_at is None:
        return UsagePeriod(*month_around(at, workspace.created_at))
    running = UsagePeriod(*month_around(anchored_at, workspace.created_at))
    if at < running.start:
        return UsagePeriod(*month_around(at, workspace.created_at))
    around_end = month_around(running.end, anchor)
    lengthened_to = running.end if around_end[0] == running.end else around_end[1]
    if at < lengthened_to:
        return UsagePeriod(running.start, lengthened_to)
    return UsagePeriod(*month_around(at, anchor))


def last_month(workspace: Anchored, period: UsagePeriod) -> datetime:
    """When the month began with which a period of a workspace ends.

    It is the period's start, but where the first subscription began later in it: that is paid for from then on.
    """
    anchor, anchored_at = workspace.usage_anchor, workspace.usage_anchored_at
    if anchor is None or anchored_at is None or period.end <= anchored_at:
        return period.start
    return max(period.start, month_around(period.end - _MOMENT, anchor)[0])


def period_before(workspace: Anchored, period: UsagePeriod) -> UsagePeriod:
    """The period that ends where one begins."""
    return usage_period(workspace, period.start - _MOMENT)


def month_around(now: datetime, anchor: datetime) -> tuple[datetime, datetime]:
    """The month that `now` is in, of those that are counted from `anchor`; a day that a month lacks is its last one."""
    anchor, at = anchor.astimezone(UTC), now.astimezone(UTC)
    months = (at.year - anchor.year) * 12 + at.month - anchor.month
    if months_after(anchor, months) > at:
        months -= 1
    return months_after(anchor, months), months_after(anchor, months + 1)


def months_after(anchor: datetime, months: int) -> datetime:
    """So many months after a time, or before it; a day that the month lacks is its last one."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, calendar.monthrange(year, month + 1)[1]))
