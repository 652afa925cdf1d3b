"""People as others see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import aliased

from app.db.engine import Session
from app.db.tables.people import UserRow
from app.db.tables.workspaces import HandleRow, MembershipRow, WorkspaceRow


async def many(session: Session, user_ids: Collection[UUID]) -> Sequence[Row[UserRow, WorkspaceRow]]:
    """Those of the users that there are, with their personal workspaces."""
    personal = (WorkspaceRow.created_by == UserRow.id) & (WorkspaceRow.kind == "PERSONAL")
    query = select(UserRow, WorkspaceRow).join(WorkspaceRow, personal).where(UserRow.id.in_(user_ids))
    return (await session.execute(query)).all()


async def share_workspace(session: Session, one: UUID, other: UUID) -> bool:
    """Whether there is a workspace that both users belong to."""
    first, second = aliased(MembershipRow), aliased(MembershipRow)
    together = exists().where(first.workspace_id == second.workspace_id, first.user_id == one, second.user_id == other)
    return bool(await session.scalar(select(together)))


async def id_by_handle(session: Session, key: str) -> UUID | None:
    """The user who goes by a handle, given in lower case."""
    personal = (WorkspaceRow.id == HandleRow.workspace_id) & (WorkspaceRow.kind == "PERSONAL")
    return await session.scalar(select(WorkspaceRow.created_by).join(HandleRow, personal).where(HandleRow.key == key))
