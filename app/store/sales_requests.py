"""Who asked the sellers to talk to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.db.engine import Session
from app.db.tables.people import EmailRow
from app.db.tables.trials import SalesRequestRow
from app.db.tables.workspaces import WorkspaceRow


class SalesRequest(NamedTuple):
    """A request as operators are shown it; `address` is where to answer, None where its asker has no verified address any more."""

    id: UUID
    created_at: datetime
    handle: str
    address: str | None
    message: str | None


async def add(session: Session, row: SalesRequestRow) -> None:
    """Keep a request."""
    session.add(row)
    await session.flush()


async def newest(session: Session, *, limit: int) -> Sequence[SalesRequest]:
    """The newest requests, the newest first."""
    query = (
        select(
            SalesRequestRow.id,
            SalesRequestRow.created_at,
            WorkspaceRow.handle,
            EmailRow.address,
            SalesRequestRow.message,
        )
        .join(WorkspaceRow, WorkspaceRow.id == SalesRequestRow.workspace_id)
        .outerjoin(EmailRow, (EmailRow.user_id == SalesRequestRow.user_id) & EmailRow.is_primary)
        .order_by(SalesRequestRow.created_at.desc(), SalesRequestRow.id.desc())
        .limit(limit)
    )
    return [SalesRequest(*found) for found in await session.execute(query)]
