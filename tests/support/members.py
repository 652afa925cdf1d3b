"""Adding members to workspaces without an invitation."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.permissions import WorkspaceRole
from app.db.engine import Database, Session
from app.db.tables.workspaces import MembershipRow
from app.db.unit_of_work import transact
from app.store import workspaces as workspace_store


async def let_in(database: Database, workspace_id: UUID, user_id: UUID, role: WorkspaceRole) -> None:
    """Make a user a member of a workspace, in a role."""

    async def join(session: Session) -> None:
        await workspace_store.add_member(
            session,
            MembershipRow(workspace_id=workspace_id, user_id=user_id, role=role.value, joined_at=session.now),
        )

    await transact(database, join)
