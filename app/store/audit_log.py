"""The audit log: only ever added to, and who those named in it are now."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.db.reads import KeyedRead, Read
from app.db.tables.access import AuditEventRow


class LoggedEvent(NamedTuple):
    """An event; see `AuditEventRow`."""

    workspace_id: UUID
    id: UUID
    at: datetime
    actor_user_id: UUID | None
    actor_key_id: UUID | None
    actor_label: str | None
    subject_user_id: UUID | None
    action: str
    summary: str
    detail: dict[str, Any] | None


class Named(NamedTuple):
    """What somebody or something goes by now."""

    id: UUID
    name: str


_EVENT: Final = ", ".join(f"e.{name}" for name in LoggedEvent._fields)

PAGE: Final = Read(
    "audit_page",
    f"SELECT {_EVENT} FROM audit_events e WHERE e.workspace_id = $1::uuid"
    " AND ($3::timestamptz IS NULL OR (e.at, e.id) < ($3::timestamptz, $4::uuid))"
    " ORDER BY e.at DESC, e.id DESC LIMIT $2::bigint",
    LoggedEvent,
)
"""The events of a workspace before a (time, id), if one is given, at most so many, the newest first."""

EVENTS: Final = KeyedRead[tuple[UUID, UUID], LoggedEvent](
    "audit_events",
    f"SELECT {_EVENT} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN audit_events e ON e.workspace_id = k.workspace_id AND e.id = k.id",
    LoggedEvent,
    lambda event: (event.workspace_id, event.id),
)
"""Events by (workspace, id)."""

HANDLES: Final = KeyedRead[UUID, Named](
    "handles",
    "SELECT created_by, handle FROM workspaces WHERE created_by = ANY ($1::uuid[]) AND kind = 'PERSONAL'",
    Named,
    lambda named: named.id,
)
"""The handles that users go by now, by user, of those that are still there."""

KEY_NAMES: Final = KeyedRead[UUID, Named](
    "key_names", "SELECT id, name FROM api_keys WHERE id = ANY ($1::uuid[])", Named, lambda named: named.id
)
"""The names of keys, revoked ones too, of those that are still there."""


async def add(session: Session, row: AuditEventRow) -> None:
    """Add an event."""
    session.add(row)
    await session.flush()
