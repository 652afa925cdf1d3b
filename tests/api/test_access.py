"""Who may do what, beside the table of tests/authorization: rights that end, and credentials that are none."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import delete

from app.accounts.access.permissions import WorkspaceRole
from app.db.engine import Session
from app.db.tables.workspaces import MembershipRow
from app.db.unit_of_work import transact
from tests.support import operations
from tests.support.members import let_in
from tests.support.running_backend import RunningBackend


@pytest.mark.parametrize("token", ["made-up", "cfk_" + "0" * 43, "cfs_" + "0" * 43, "cfs_"])
async def test_a_token_that_is_nobodys_is_nobody(backend: RunningBackend, token: str) -> None:
    owner = await backend.sign_up()

    assert (await backend.api.query("{ viewer { id } }", token=token))["viewer"] is None
    assert await backend.api.refused(operations.BALANCE, {"id": owner.workspace}, token=token) == "UNAUTHENTICATED"


async def test_who_leaves_a_workspace_loses_its_rights_at_once(backend: RunningBackend) -> None:
    owner, member = await backend.sign_up(), await backend.sign_up()
    await let_in(backend.database, owner.workspace_id, member.user_id, WorkspaceRole.OWNER)
    assert (await backend.api.query(operations.BALANCE, {"id": owner.workspace}, token=member.token))["workspace"]

    async def leave(session: Session) -> None:
        await session.execute(
            delete(MembershipRow).where(
                MembershipRow.workspace_id == owner.workspace_id, MembershipRow.user_id == member.user_id
            )
        )

    await transact(backend.database, leave)

    data = await backend.api.query(operations.BALANCE, {"id": owner.workspace}, token=member.token)
    assert data["workspace"] is None


async def test_a_workspace_that_never_was_and_one_of_others_answer_alike(backend: RunningBackend) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()
    made_up = owner.workspace[:-4] + ("AAAA" if not owner.workspace.endswith("AAAA") else "BBBB")
    key = {"packCode": "starter", "idempotencyKey": uuid4().hex}

    codes = [
        await backend.api.refused(
            operations.RECHARGE, {"input": {"workspaceId": workspace, **key}}, token=stranger.token
        )
        for workspace in (owner.workspace, made_up, "", "Workspace_", "User_" + owner.workspace, "\N{SNOWMAN}")
    ]

    assert set(codes) == {"NOT_FOUND"}
