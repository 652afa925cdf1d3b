"""Who is removed from a workspace, or loses the right to see its billing, watches it no longer."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.accounts.access.permissions import WorkspaceRole
from app.db.engine import Session
from app.db.tables.workspaces import MembershipRow
from app.db.unit_of_work import transact
from app.ids import GlobalId, parse_global_id
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant
from tests.live.screens import Screen, change
from tests.support import operations
from tests.support.organizations import mutation
from tests.support.running_backend import Person, RunningBackend

_ACTS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "is removed": ("removeMember", "id", {}, "NOT_FOUND"),
    "owns it no longer": ("changeMemberRole", "membershipId", {"role": "MEMBER"}, "FORBIDDEN"),
}


async def _organization(backend: RunningBackend, *owners: Person) -> tuple[str, UUID]:
    """An organization that all of them own: its id in the API and in the database."""
    given = {"input": {"name": "Acme"}}
    made = await backend.api.query(mutation("createOrganization"), given, token=owners[0].token)
    workspace = made["createOrganization"]["workspace"]["id"]
    workspace_id = parse_global_id(workspace).id
    assert isinstance(workspace_id, UUID)

    async def join(session: Session) -> None:
        for person in owners[1:]:
            row = MembershipRow(
                workspace_id=workspace_id, user_id=person.user_id, role=WorkspaceRole.OWNER, joined_at=session.now
            )
            session.add(row)

    await transact(backend.database, join)
    return workspace, workspace_id


@pytest.mark.parametrize("act", _ACTS)
@pytest.mark.parametrize("changes", [True, False], ids=["with the next change", "though nothing changes"])
async def test_the_stream_of_who_may_see_it_no_longer_ends(backend: RunningBackend, act: str, changes: bool) -> None:
    stays, goes = await backend.sign_up(), await backend.sign_up()
    workspace, workspace_id = await _organization(backend, stays, goes)
    name, member, more, code = _ACTS[act]
    membership = str(GlobalId("Membership", goes.user_id, workspace_id))
    async with backend.api.socket(stays.token) as watching, backend.api.socket(goes.token) as ending:
        screen = Screen(watching, await watching.subscribe(operations.WATCH_BALANCE, {"id": workspace}))
        await ending.subscribe(operations.WATCH_BALANCE, {"id": workspace})
        given = {"input": {member: membership, **more}}
        assert (await backend.api.query(mutation(name), given, token=stays.token))[name]["userErrors"] == []

        if changes:
            gift = Grant(workspace_id=workspace_id, amount=1, source=Source.PROMOTION, description="A gift")
            await screen.reach(await change(backend.database, gift))
        else:
            # as the server does by itself twice a minute
            backend.parts.runtime.hub.recheck()

        message = await ending.receive()
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
