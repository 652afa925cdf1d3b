"""Who belongs to a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_

from app.db.engine import Session
from app.db.tables.workspaces import MembershipRow
from app.store import customers as customer_store


async def find(session: Session, workspace_id: UUID, user_id: UUID) -> MembershipRow | None:
    """The user's membership of the workspace, as it is now."""
    query = select(MembershipRow).where(MembershipRow.workspace_id == workspace_id, MembershipRow.user_id == user_id)
    return await session.scalar(query.execution_options(populate_existing=True))


async def page(
    session: Session, workspace_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None
) -> Sequence[MembershipRow]:
    """The members who joined before the place of `before`, the newest first."""
    query = select(MembershipRow).where(MembershipRow.workspace_id == workspace_id)
    if before is not None:
        query = query.where(tuple_(MembershipRow.joined_at, MembershipRow.user_id) < tuple_(*before))
    ordered = query.order_by(MembershipRow.joined_at.desc(), MembershipRow.user_id.desc())
    return (await session.scalars(ordered.limit(limit))).all()


async def count(session: Session, workspace_id: UUID, *, role: str | None = None) -> int:
    """How many members there are, or how many of them have the role."""
    query = select(func.count()).select_from(MembershipRow).where(MembershipRow.workspace_id == workspace_id)
    if role is not None:
        query = query.where(MembershipRow.role == role)
    return await session.scalar(query) or 0


async def set_role(session: Session, membership: MembershipRow, role: str) -> None:
    """Give a member another role."""
    membership.role = role
    await session.flush()
    await customer_store.mark_due(session, [membership.workspace_id])


async def remove(session: Session, workspace_id: UUID, user_id: UUID) -> None:
    """Let the user belong to the workspace no longer."""
    await session.execute(
        delete(MembershipRow)
        .where(MembershipRow.workspace_id == workspace_id, MembershipRow.user_id == user_id)
        .execution_options(synchronize_session=False)
    )
    await customer_store.mark_due(session, [workspace_id])
