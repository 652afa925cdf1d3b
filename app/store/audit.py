"""The audit log: only ever added to."""

from __future__ import annotations

from app.db.engine import Session
from app.db.tables.workspaces import AuditEventRow


async def add(session: Session, row: AuditEventRow) -> None:
    """Add an event."""
    session.add(row)
    await session.flush()
