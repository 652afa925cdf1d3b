"""Deletions under way. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import aliased

from app.db.engine import Session
from app.db.tables.deletions import DeletionRow
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.store import customers as customer_store
from app.store import subscriptions as subscription_store

_CUSTOMERS_WRITTEN_WITHIN: Final = timedelta(minutes=2)


class Belonging(NamedTuple):
    """A workspace that a user belongs to: how many other owners it has, and how many other members in any role."""

    id: UUID
    kind: str
    name: str
    other_owners: int
    others: int

    @property
    def is_theirs_alone(self) -> bool:
        """Whether it is deleted with its user: a personal workspace always is."""
        return self.kind == "PERSONAL" or self.others == 0


async def lock(session: Session, deletion_id: UUID) -> DeletionRow | None:
    """A deletion, locked until the transaction ends; None once it is finished or was cancelled."""
    query = select(DeletionRow).where(DeletionRow.id == deletion_id).with_for_update()
    return await session.scalar(query.execution_options(populate_existing=True))


async def find(session: Session, deletion_id: UUID) -> DeletionRow | None:
    """A deletion, not locked."""
    return await session.get(DeletionRow, deletion_id)


async def lock_of(session: Session, *, user_id: UUID | None, workspace_id: UUID | None) -> DeletionRow | None:
    """The deletion under way of an account or of a workspace, locked until the transaction ends."""
    query = select(DeletionRow).where(
        DeletionRow.user_id == user_id if user_id is not None else DeletionRow.workspace_id == workspace_id
    )
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def is_irreversible(session: Session, user_id: UUID) -> bool:
    """Whether an account is being deleted irreversibly. The answer stays true where the caller has locked the user."""
    query = select(DeletionRow.id).where(DeletionRow.user_id == user_id, DeletionRow.irreversible_at.is_not(None))
    return await session.scalar(query) is not None


async def includes_workspace(session: Session, workspace_id: UUID) -> bool:
    """Whether a deletion under way includes the workspace. The answer stays true where its billing account is locked."""
    query = select(DeletionRow.id).where(DeletionRow.workspace_ids.any_() == workspace_id)
    return await session.scalar(query.limit(1)) is not None


async def add(session: Session, row: DeletionRow) -> None:
    """Add a deletion."""
    session.add(row)
    await session.flush()


async def remove(session: Session, deletion_id: UUID) -> None:
    """Remove a deletion that is finished or was cancelled."""
    await session.execute(delete(DeletionRow).where(DeletionRow.id == deletion_id))


async def due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The deletions that were begun and not finished, the longest due first."""
    query = select(DeletionRow.id).where(DeletionRow.next_check_at <= session.real_now)
    return (await session.scalars(query.order_by(DeletionRow.next_check_at).limit(limit))).all()


async def workspaces_of(session: Session, user_id: UUID) -> Sequence[Belonging]:
    """What a user belongs to."""
    theirs, others = aliased(MembershipRow), aliased(MembershipRow)
    is_other = others.user_id != user_id
    query = (
        select(
            WorkspaceRow.id,
            WorkspaceRow.kind,
            WorkspaceRow.name,
            func.count().filter(is_other & (others.role == "OWNER")),
            func.count().filter(is_other),
        )
        .join(theirs, theirs.workspace_id == WorkspaceRow.id)
        .join(others, others.workspace_id == WorkspaceRow.id)
        .where(theirs.user_id == user_id)
        .group_by(WorkspaceRow.id)
        .order_by(WorkspaceRow.id)
    )
    return [Belonging(*row) for row in await session.execute(query)]


async def lock_workspaces(session: Session, user_id: UUID) -> Sequence[WorkspaceRow]:
    """Every workspace a user belongs to, locked in the order of their ids: nobody joins or leaves one meanwhile."""
    belongs = exists().where(MembershipRow.workspace_id == WorkspaceRow.id, MembershipRow.user_id == user_id)
    query = select(WorkspaceRow).where(belongs).order_by(WorkspaceRow.id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def leave(session: Session, user_id: UUID, workspace_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Remove the user from these workspaces; returns the role they had in each. Their customers are written by the deletion."""
    theirs = (MembershipRow.user_id == user_id) & MembershipRow.workspace_id.in_(workspace_ids)
    left = await session.execute(
        delete(MembershipRow).where(theirs).returning(MembershipRow.workspace_id, MembershipRow.role)
    )
    roles = {row.workspace_id: row.role for row in left}
    # of two who write at once neither knows what came last: the worker leaves these to the deletion, unless that is cut short
    await customer_store.mark_due(session, roles.keys(), after=_CUSTOMERS_WRITTEN_WITHIN)
    await subscription_store.shown_changed(session, roles.keys())
    return roles
