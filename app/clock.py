"""What time it is. No SQL asks the database for the time: it comes from here, so that development can move it forward."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class Clock:
    """The product's time and the real one.

    What customers see to happen (renewals, expiries, holds, trials, invitations) follows `now`, which development may move forward;
    security (sessions, keys, codes, links that prove an address, rate limits) follows `real_now`, which nothing moves.
    """

    offset: timedelta = timedelta()

    def now(self) -> datetime:
        """The product's time, aware, in UTC."""
        return self.real_now() + self.offset

    def real_now(self) -> datetime:
        """The time on the wall, aware, in UTC."""
        return datetime.now(UTC)
