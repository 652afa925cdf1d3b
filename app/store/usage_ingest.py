"""Counting events: one statement for all events of a call, which calls the SQL function `usage_count` of the migrations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.db.reads import KeyedRead


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

    `group` is the place of its `CountedGroup`, from 1, and `subject` that of its subject, None without one.
    """

    group: int
    event_id: str
    quantity: Decimal
    occurred_at: datetime
    subject: int | None


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
    """What a workspace's usage begins with where it has no state yet; each workspace once.

    `anchored_at` is what was known of it when its periods were looked up; see `WorkspaceRow`.
    """

    workspace_id: UUID
    terms_id: str
    turns_at: datetime
    anchored_at: datetime | None


class Inserted(NamedTuple):
    """What became of a call: the places, from 1, of the events that were counted, and of those asked for that had been before;
    the workspaces with their new versions; and those that have something to pay. `counted` is None where nothing was, since a first
    subscription has moved a workspace's periods meanwhile.
    """

    counted: Sequence[int] | None
    known: Sequence[int]
    workspaces: Sequence[UUID]
    versions: Sequence[int]
    owing: Sequence[UUID]


_COUNT: Final = (
    "SELECT counted, known, workspaces, versions, owing FROM usage_count("
    "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
)


async def count_events(
    session: Session,
    events: Sequence[EventToCount],
    groups: Sequence[CountedGroup],
    states: Sequence[NewState],
    *,
    subjects: Sequence[UUID | None],
    warn_at: Sequence[int],
    asked: Sequence[tuple[UUID, str]],
) -> Inserted:
    """Count what is new among the events.

    `subjects` are ids, None for one whose workspace is gone; `warn_at` are levels in percent of a limit; `asked` are further
    (workspace, event id), of which only whether they had been counted before is told.
    """
    connection = await session.connection()
    columns = (
        *_columns(events, EventToCount),
        *_columns(groups, CountedGroup),
        *_columns(states, NewState),
        list(subjects),
        list(warn_at),
        [workspace_id for workspace_id, _ in asked],
        [event_id for _, event_id in asked],
    )
    return Inserted(*(await connection.exec_driver_sql(_COUNT, (session.now, *columns))).one())


def _columns(
    rows: Sequence[tuple[object, ...]], of: type[EventToCount | CountedGroup | NewState]
) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in of._fields]
