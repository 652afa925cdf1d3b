"""The audit log: only ever added to, and who those named in it are now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from app.db.engine import Session
from app.db.tables.access import ApiKeyRow, AuditEventRow
from app.db.tables.workspaces import WorkspaceRow


async def add(session: Session, row: AuditEventRow) -> None:
    """Add an event."""
    session.add(row)
    await session.flush()


async def page(
    session: Session, workspace_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None
) -> Sequence[AuditEventRow]:
    """Up to `limit` events of a workspace, the newest first, from behind the (time, id) `before`."""
    query = select(AuditEventRow).where(AuditEventRow.workspace_id == workspace_id)
    if before is not None:
        query = query.where(tuple_(AuditEventRow.at, AuditEventRow.id) < before)
    query = query.order_by(AuditEventRow.at.desc(), AuditEventRow.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def find(session: Session, workspace_id: UUID, event_id: UUID) -> AuditEventRow | None:
    """One event of the workspace."""
    return await session.get(AuditEventRow, (workspace_id, event_id))


async def handles(session: Session, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The handles that these users go by now, of those that are still there."""
    personal = WorkspaceRow.created_by.in_(user_ids) & (WorkspaceRow.kind == "PERSONAL")
    rows = await session.execute(select(WorkspaceRow.created_by, WorkspaceRow.handle).where(personal))
    return {row.created_by: row.handle for row in rows}


async def key_names(session: Session, key_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The names of these keys, revoked ones too, of those that are still there."""
    rows = await session.execute(select(ApiKeyRow.id, ApiKeyRow.name).where(ApiKeyRow.id.in_(key_ids)))
    return {row.id: row.name for row in rows}
