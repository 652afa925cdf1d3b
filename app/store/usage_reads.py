"""What is shown of workspaces' usage, by (workspace, time): of the period that was counted in last by then.

Where nothing was counted yet in the period that is running, that is an earlier one: who reads looks at where it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from app.db.reads import KeyedRead


class Counted(NamedTuple):
    """What was counted of a resource; see `UsageCounterRow`. `version` and `followed` are of the workspace's usage as a whole.

    A gauge has a level in `used`, and no period. The first row of a workspace of which nothing was counted has no resource.
    """

    workspace_id: UUID
    at: datetime
    version: int
    followed: str | None
    resource: str | None
    period_start: datetime | None
    used: Decimal
    allowance: Decimal | None
    price: Decimal | None
    overage: Decimal
    unpaid: Decimal
    owed: Decimal
    charged: int


_LAST_PERIOD: Final = (
    "(SELECT max(r.period_start) FROM {table} r WHERE r.workspace_id = k.workspace_id AND r.period_start <= k.at)"
)
_LAST_COUNTED: Final = _LAST_PERIOD.format(table="usage_counters")
_LAST_WITH_DAYS: Final = _LAST_PERIOD.format(table="usage_days")
_KEYS: Final = "unnest($1::uuid[], $2::timestamptz[]) k (workspace_id, at)"

COUNTED: Final = KeyedRead[tuple[UUID, datetime], Counted](
    "usage_counted",
    "SELECT k.workspace_id, k.at, u.version, u.terms_id AS followed, c.resource, c.period_start, coalesce(c.used, 0) AS used,"
    " c.allowance, c.price, coalesce(c.overage, 0) AS overage, coalesce(c.unpaid, 0) AS unpaid, coalesce(c.owed, 0) AS owed,"
    " coalesce(c.charged, 0) AS charged"
    f" FROM {_KEYS} JOIN usage_states u ON u.workspace_id = k.workspace_id"
    " LEFT JOIN LATERAL ("
    "SELECT i.resource, i.period_start, i.used, i.allowance, i.price, i.overage, i.unpaid, i.owed, i.charged"
    f" FROM usage_counters i WHERE i.workspace_id = k.workspace_id AND i.period_start = {_LAST_COUNTED}"
    " UNION ALL"
    " SELECT g.resource, NULL, g.level, NULL, NULL, 0, 0, 0, 0 FROM usage_gauges g WHERE g.workspace_id = k.workspace_id"
    ") c ON true",
    Counted,
    lambda counted: (counted.workspace_id, counted.at),
)
"""What was counted of each resource; nothing for a workspace that never used anything."""


class DaysOfUse(NamedTuple):
    """What was used of a resource on days (in UTC) of a period, or the levels of a gauge at their ends; see `UsageDayRow`.

    One row a resource, with texts, since a record is dear to decode and holds no other arrays. `days` are ISO 8601 and in no order,
    `used` are plain decimals, one for each of them.
    """

    workspace_id: UUID
    at: datetime
    period_start: datetime
    resource: str
    days: Sequence[str]
    used: Sequence[str]


DAYS_OF_USE: Final = KeyedRead[tuple[UUID, datetime], DaysOfUse](
    "usage_days_seen",
    "SELECT k.workspace_id, k.at, d.period_start, d.resource, d.days, d.used"
    f" FROM {_KEYS} CROSS JOIN LATERAL ("
    "SELECT i.period_start, i.resource, array_agg(to_char(i.day, 'YYYY-MM-DD')) AS days, array_agg(CAST(i.used AS text)) AS used"
    f" FROM usage_days i WHERE i.workspace_id = k.workspace_id AND i.period_start = {_LAST_WITH_DAYS}"
    " GROUP BY i.period_start, i.resource"
    " UNION ALL"
    " SELECT b.period_start, g.resource, ARRAY[to_char(b.day, 'YYYY-MM-DD')], ARRAY[CAST(b.used AS text)]"
    " FROM usage_gauges g CROSS JOIN LATERAL ("
    "SELECT i.period_start, i.day, i.used FROM usage_days i"
    f" WHERE i.workspace_id = k.workspace_id AND i.resource = g.resource AND i.period_start < {_LAST_WITH_DAYS}"
    " ORDER BY i.period_start DESC, i.day DESC LIMIT 1"
    ") b WHERE g.workspace_id = k.workspace_id"
    ") d",
    DaysOfUse,
    lambda use: (use.workspace_id, use.at),
)
"""The days of the period, and of each gauge the last day before it."""


class UseBySubject(NamedTuple):
    """What a subject used of a resource, and the credits (in steps) that paid for it; a gauge has no period.

    `named_used` and `named_charged` are the same of all subjects that have a name.
    """

    workspace_id: UUID
    at: datetime
    most: int
    period_start: datetime | None
    resource: str
    name: str
    used: Decimal
    charged: int
    named_used: Decimal
    named_charged: int


_NAMED: Final = "JOIN usage_subjects n ON n.workspace_id = u.workspace_id AND n.id = u.subject_id"

USE_BY_SUBJECT: Final = KeyedRead[tuple[UUID, datetime, int], UseBySubject](
    "usage_by_subject",
    "SELECT k.workspace_id, k.at, k.most, s.period_start, s.resource, s.name, s.used, s.charged, s.named_used, s.named_charged"
    " FROM unnest($1::uuid[], $2::timestamptz[], $3::int[]) k (workspace_id, at, most) CROSS JOIN LATERAL ("
    "SELECT c.period_start, c.resource, o.name, o.used, o.charged, o.named_used, o.named_charged FROM usage_counters c"
    " CROSS JOIN LATERAL (SELECT n.name, u.used, u.charged, sum(u.used) OVER () AS named_used,"
    f" CAST(sum(u.charged) OVER () AS bigint) AS named_charged FROM subject_usage u {_NAMED}"
    " WHERE u.workspace_id = c.workspace_id AND u.period_start = c.period_start AND u.resource = c.resource AND u.used > 0"
    " ORDER BY u.used DESC, n.name LIMIT k.most) o"
    f" WHERE c.workspace_id = k.workspace_id AND c.period_start = {_LAST_COUNTED}"
    " UNION ALL"
    " SELECT NULL, g.resource, o.name, o.used, 0, o.named_used, 0 FROM usage_gauges g"
    " CROSS JOIN LATERAL (SELECT n.name, u.level AS used, sum(u.level) OVER () AS named_used"
    f" FROM usage_levels u {_NAMED}"
    " WHERE u.workspace_id = g.workspace_id AND u.resource = g.resource AND u.level > 0"
    " ORDER BY u.level DESC, n.name LIMIT k.most) o"
    " WHERE g.workspace_id = k.workspace_id"
    ") s",
    UseBySubject,
    lambda use: (use.workspace_id, use.at, use.most),
)
"""Of each resource those who used most of it, at most so many; whose name was erased is left out."""


class WaitingToBePaid(NamedTuple):
    """What a counter owed and was charged before, and the exact steps that wait to be paid; see `UsageDueRow`."""

    workspace_id: UUID
    period_start: datetime
    resource: str
    owed: Decimal
    charged: int
    value: Decimal


WAITING: Final = KeyedRead[UUID, WaitingToBePaid](
    "usage_waiting",
    "SELECT c.workspace_id, c.period_start, c.resource, c.owed, c.charged, d.value"
    " FROM unnest($1::uuid[]) k (workspace_id) CROSS JOIN LATERAL ("
    "SELECT i.period_start, i.resource, sum(i.value) AS value FROM usage_dues i WHERE i.workspace_id = k.workspace_id"
    " GROUP BY i.period_start, i.resource) d"
    " JOIN usage_counters c ON c.workspace_id = k.workspace_id AND c.period_start = d.period_start AND c.resource = d.resource",
    WaitingToBePaid,
    lambda waiting: waiting.workspace_id,
)
"""What was counted past an allowance and is yet to be paid, by workspace: little or nothing, since it is paid at once."""
