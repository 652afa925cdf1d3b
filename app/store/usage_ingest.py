"""Counting events: one statement for all events of a call.

An event is counted where its id is new to its workspace. The ids are inserted in order, then the workspaces' `usage_states` are
locked in order, and everything else of a workspace is written under that lock: so calls wait for each other, but never in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.db.reads import KeyedRead

NO_SUBJECT: Final = UUID(int=0)
"""Stands for no subject where a column takes no NULL."""


class CountedWorkspace(NamedTuple):
    """What must be known of a workspace to count for it. `followed` are the terms that its limits follow, None without any yet."""

    id: UUID
    external_id: str | None
    created_at: datetime
    usage_anchor: datetime | None
    usage_anchored_at: datetime | None
    provider_id: str | None
    terms_id: str | None
    trial_ends_at: datetime | None
    ends_at: datetime | None
    followed: str | None


_COUNTED: Final = (
    "SELECT w.id, w.external_id, w.created_at, w.usage_anchor, w.usage_anchored_at, s.provider_id, s.terms_id, s.trial_ends_at,"
    " s.ends_at, u.terms_id AS followed"
    " FROM workspaces w LEFT JOIN subscriptions s ON s.workspace_id = w.id LEFT JOIN usage_states u ON u.workspace_id = w.id"
)
COUNTED_BY_ID: Final = KeyedRead[UUID, CountedWorkspace](
    "usage_workspaces", f"{_COUNTED} WHERE w.id = ANY ($1::uuid[])", CountedWorkspace, lambda found: found.id
)
COUNTED_BY_EXTERNAL_ID: Final = KeyedRead[str, CountedWorkspace](
    "usage_workspaces_by_external_id",
    f"{_COUNTED} WHERE w.external_id = ANY ($1::text[])",
    CountedWorkspace,
    lambda found: found.external_id or "",
)


class EventToCount(NamedTuple):
    """An event to be counted; no two of a call have the same id in the same workspace.

    `group` is the place of its `CountedGroup`, from 1; `day` is in UTC; `subject_id` is `NO_SUBJECT` without a subject.
    """

    group: int
    event_id: str
    quantity: Decimal
    day: date
    subject_id: UUID
    occurred_at: datetime


class CountedGroup(NamedTuple):
    """A workspace, resource and period that something is counted in, each once.

    `allowance` and `price` (steps of the credit unit) are those of a counter that is new; one that exists has its own.
    """

    workspace_id: UUID
    resource: str
    period_start: datetime
    period_end: datetime
    allowance: Decimal | None
    price: Decimal | None
    is_gauge: bool


class NewState(NamedTuple):
    """What a workspace's usage begins with where it has no state yet; each workspace once."""

    workspace_id: UUID
    terms_id: str
    turns_at: datetime


class Inserted(NamedTuple):
    """What became of a call: the places, from 1, of the events that were counted, and of those asked for that had been before;
    the workspaces with their new versions; and those that have something to pay.
    """

    counted: Sequence[int]
    known: Sequence[int]
    workspaces: Sequence[UUID]
    versions: Sequence[int]
    owing: Sequence[UUID]


# What of an addition to a counter lies past its allowance: what was used before, under another allowance, does not count.
_PAST: Final = (
    "CASE WHEN c.allowance IS NULL THEN 0 ELSE greatest(0, c.used + excluded.used - greatest(c.allowance, c.used)) END"
)

_COUNT: Final = f"""
WITH groups AS MATERIALIZED (
    SELECT * FROM unnest(
        $8::uuid[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::numeric[], $13::numeric[], $14::boolean[]
    ) WITH ORDINALITY g (workspace_id, resource, period_start, period_end, allowance, price, is_gauge, number)
), events AS MATERIALIZED (
    SELECT g.*, e.event_id, e.quantity, e.day, e.subject_id, e.occurred_at, e.n
    FROM unnest($2::integer[], $3::text[], $4::numeric[], $5::date[], $6::uuid[], $7::timestamptz[])
        WITH ORDINALITY e (number, event_id, quantity, day, subject_id, occurred_at, n)
    JOIN groups g ON g.number = e.number
), inserted AS (
    INSERT INTO usage_events (workspace_id, event_id, received_at)
    SELECT workspace_id, event_id, $1::timestamptz FROM events ORDER BY workspace_id, event_id COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING workspace_id, event_id
), fresh AS MATERIALIZED (
    SELECT e.* FROM events e JOIN inserted i ON i.workspace_id = e.workspace_id AND i.event_id = e.event_id
), states AS (
    INSERT INTO usage_states AS u (workspace_id, version, terms_id, turns_at)
    SELECT w.id, 1, w.terms_id, w.turns_at FROM unnest($15::uuid[], $16::text[], $17::timestamptz[]) w (id, terms_id, turns_at)
    WHERE w.id IN (SELECT workspace_id FROM fresh) ORDER BY w.id
    ON CONFLICT (workspace_id) DO UPDATE SET version = u.version + 1, turns_at = coalesce(u.turns_at, excluded.turns_at),
        terms_id = coalesce(u.terms_id, excluded.terms_id)
    RETURNING workspace_id, version
), sums AS MATERIALIZED (
    SELECT number, workspace_id, resource, period_start, sum(quantity) AS quantity FROM fresh JOIN states USING (workspace_id)
    WHERE NOT is_gauge GROUP BY number, workspace_id, resource, period_start
), counted AS (
    INSERT INTO usage_counters AS c
        (workspace_id, period_start, resource, period_end, used, allowance, price, overage, unpaid, owed, charged)
    SELECT g.workspace_id, g.period_start, g.resource, g.period_end, s.quantity, g.allowance, g.price, past.units,
        CASE WHEN g.price IS NULL THEN past.units ELSE 0 END, 0, 0
    FROM sums s JOIN groups g USING (number)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN g.allowance IS NULL THEN 0 ELSE greatest(0, s.quantity - g.allowance) END AS units
    ) past
    ORDER BY g.workspace_id, g.period_start, g.resource
    ON CONFLICT (workspace_id, period_start, resource) DO UPDATE SET used = c.used + excluded.used,
        overage = c.overage + {_PAST}, unpaid = c.unpaid + CASE WHEN c.price IS NULL THEN {_PAST} ELSE 0 END
    RETURNING workspace_id, period_start, resource, period_end, used, allowance, price
), running AS MATERIALIZED (
    SELECT s.number, s.quantity, c.* FROM counted c JOIN sums s USING (workspace_id, period_start, resource)
), past AS (
    SELECT f.n, f.workspace_id, f.period_start, f.resource, nullif(f.subject_id, '{NO_SUBJECT}') AS subject_id, r.price,
        greatest(0, f.upto - r.room) - greatest(0, f.upto - f.quantity - r.room) AS units
    FROM (SELECT *, sum(quantity) OVER (PARTITION BY number ORDER BY n) AS upto FROM fresh WHERE NOT is_gauge) f
    JOIN (
        SELECT *, greatest(0, allowance - (used - quantity)) AS room FROM running WHERE price IS NOT NULL AND used > allowance
    ) r ON r.number = f.number
), dues AS (
    INSERT INTO usage_dues (workspace_id, period_start, resource, subject_id, units, value, created_at)
    SELECT workspace_id, period_start, resource, subject_id, sum(units), sum(units) * price, $1::timestamptz
    FROM past WHERE units > 0
    GROUP BY workspace_id, period_start, resource, subject_id, price ORDER BY min(n)
    RETURNING workspace_id
), days AS (
    INSERT INTO usage_days AS d (workspace_id, period_start, resource, day, used)
    SELECT r.workspace_id, r.period_start, r.resource, f.day, sum(f.quantity)
    FROM fresh f JOIN running r ON r.number = f.number GROUP BY 1, 2, 3, 4
    ON CONFLICT (workspace_id, period_start, resource, day) DO UPDATE SET used = d.used + excluded.used
), subjects AS (
    INSERT INTO subject_usage AS u (workspace_id, period_start, resource, subject_id, used, charged)
    SELECT r.workspace_id, r.period_start, r.resource, f.subject_id, sum(f.quantity), 0
    FROM fresh f JOIN running r ON r.number = f.number WHERE f.subject_id <> '{NO_SUBJECT}' GROUP BY 1, 2, 3, 4
    ON CONFLICT (workspace_id, period_start, resource, subject_id) DO UPDATE SET used = u.used + excluded.used
), levels AS (
    INSERT INTO usage_levels AS l (workspace_id, resource, subject_id, level, previous, occurred_at)
    SELECT DISTINCT ON (workspace_id, resource, subject_id) workspace_id, resource, subject_id, quantity, 0, occurred_at
    FROM fresh JOIN states USING (workspace_id) WHERE is_gauge
    ORDER BY workspace_id, resource, subject_id, occurred_at DESC, n DESC
    ON CONFLICT (workspace_id, resource, subject_id)
        DO UPDATE SET previous = l.level, level = excluded.level, occurred_at = excluded.occurred_at
        WHERE excluded.occurred_at >= l.occurred_at
    RETURNING workspace_id, resource, subject_id, level - previous AS moved, occurred_at
), gauges AS (
    INSERT INTO usage_gauges AS g (workspace_id, resource, level)
    SELECT workspace_id, resource, sum(moved) FROM levels GROUP BY workspace_id, resource
    ON CONFLICT (workspace_id, resource) DO UPDATE SET level = g.level + excluded.level
    RETURNING workspace_id, resource, level
), gauge_days AS (
    INSERT INTO usage_days AS d (workspace_id, period_start, resource, day, used)
    SELECT DISTINCT ON (workspace_id, resource) workspace_id, f.period_start, resource, f.day, g.level
    FROM gauges g JOIN levels l USING (workspace_id, resource)
    JOIN fresh f USING (workspace_id, resource, subject_id, occurred_at)
    ORDER BY workspace_id, resource, f.occurred_at DESC
    ON CONFLICT (workspace_id, period_start, resource, day) DO UPDATE SET used = excluded.used
), warnings AS (
    INSERT INTO usage_warnings (workspace_id, period_start, resource, level, created_at)
    SELECT b.workspace_id, b.period_start, b.resource, level, $1::timestamptz
    FROM (
        SELECT workspace_id, period_start, resource, used, allowance FROM running WHERE period_end > $1::timestamptz
        UNION ALL
        SELECT workspace_id, g.period_start, resource, level, g.allowance FROM gauges JOIN groups g USING (workspace_id, resource)
        WHERE g.period_start <= $1::timestamptz AND g.period_end > $1::timestamptz
    ) b
    CROSS JOIN unnest($18::smallint[]) AS w (level)
    WHERE b.allowance > 0 AND b.used * 100 >= b.allowance * w.level
    ON CONFLICT DO NOTHING
)
SELECT
    ARRAY(SELECT n FROM fresh),
    ARRAY(
        SELECT k.n FROM unnest($19::uuid[], $20::text[]) WITH ORDINALITY k (workspace_id, event_id, n)
        JOIN usage_events u ON u.workspace_id = k.workspace_id AND u.event_id = k.event_id
    ),
    ARRAY(SELECT workspace_id FROM states ORDER BY workspace_id),
    ARRAY(SELECT version FROM states ORDER BY workspace_id),
    ARRAY(SELECT DISTINCT workspace_id FROM dues)
"""


async def count_events(
    session: Session,
    events: Sequence[EventToCount],
    groups: Sequence[CountedGroup],
    states: Sequence[NewState],
    *,
    warn_at: Sequence[int],
    asked: Sequence[tuple[UUID, str]],
) -> Inserted:
    """Count what is new among the events. `warn_at` are levels in percent of a limit; `asked` are further (workspace, event id), of
    which only whether they had been counted before is told.
    """
    connection = await session.connection()
    columns = (
        *_columns(events, EventToCount),
        *_columns(groups, CountedGroup),
        *_columns(states, NewState),
        list(warn_at),
        [workspace_id for workspace_id, _ in asked],
        [event_id for _, event_id in asked],
    )
    return Inserted(*(await connection.exec_driver_sql(_COUNT, (session.now, *columns))).one())


def _columns(
    rows: Sequence[tuple[object, ...]], of: type[EventToCount | CountedGroup | NewState]
) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in of._fields]
