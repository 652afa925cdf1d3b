"""What tests of deletion do and look up."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote
from uuid import UUID

from app.accounts.access.permissions import WorkspaceRole
from app.db.engine import Session
from app.db.tables.workspaces import HandleRow, MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import GlobalId, uuid7
from app.store import workspaces as workspace_store
from tests.support.accounts import queued_mails
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

DELETE_ACCOUNT = """mutation ($input: DeleteAccountInput!) {
  deleteAccount(input: $input) { userErrors { code message path } }
}"""
DELETE_WORKSPACE = """mutation ($input: DeleteWorkspaceInput!) {
  deleteWorkspace(input: $input) { userErrors { code message path } }
}"""
SEND_CODE = "mutation { sendReauthenticationCode { userErrors { code message } } }"
VIEWER = "{ viewer { handle personalWorkspace { id } workspaces { id } } }"


async def handle_of(backend: RunningBackend, person: Person) -> str:
    """The User ID that someone goes by."""
    return (await backend.api.query(VIEWER, token=person.token))["viewer"]["handle"]


async def mailed_code(backend: RunningBackend, person: Person) -> str:
    """A code asked for just now, as the mail to the person has it."""
    before = len(await _codes(backend, person))
    sent = await backend.api.query(SEND_CODE, token=person.token)
    assert sent["sendReauthenticationCode"]["userErrors"] == []

    async def arrived() -> list[str]:
        codes = await _codes(backend, person)
        return codes if len(codes) > before else []

    return (await eventually(arrived))[0]


async def mailed_invitation(backend: RunningBackend, person: Person) -> str:
    """The token of the newest invitation in the mails to the person, once there is one."""

    async def arrived() -> list[str]:
        inbox = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
        links = [link for each in inbox if each["to"] == person.address for link in each["links"]]
        return [link.partition("/accept-invitation?token=")[2] for link in links if "/accept-invitation?" in link]

    return unquote((await eventually(arrived))[0])


async def _codes(backend: RunningBackend, person: Person) -> list[str]:
    """The codes in the person's mails, the newest first."""
    inbox = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
    mails = [each for each in inbox if each["to"] == person.address and each["subject"] == "Your code"]
    return [each["text"].split()[0] for each in mails]


async def delete_account(backend: RunningBackend, person: Person, **proof: object) -> list[dict[str, Any]]:
    """The `userErrors` of deleting an account, with a mailed code unless another proof is given."""
    given = proof or {"code": await mailed_code(backend, person)}
    given = {"confirmHandle": await handle_of(backend, person), **given}
    answer = await backend.api.query(DELETE_ACCOUNT, {"input": given}, token=person.token)
    return answer["deleteAccount"]["userErrors"]


async def new_organization(backend: RunningBackend, handle: str, **members: Person) -> UUID:
    """An organization to which people belong by role: `owner`, `admin`, `member`."""
    workspace_id = uuid7()

    async def make(session: Session) -> None:
        # the two refer to each other
        session.add(HandleRow(key=handle, workspace_id=workspace_id))
        row = WorkspaceRow(
            id=workspace_id,
            kind="ORGANIZATION",
            name=handle,
            handle=handle,
            created_by=members["owner"].user_id,
            created_at=session.now,
            version=1,
        )
        await workspace_store.add(session, row)
        for role, person in members.items():
            membership = MembershipRow(
                workspace_id=workspace_id,
                user_id=person.user_id,
                role=WorkspaceRole(role.rstrip("_2").upper()),
                joined_at=session.now,
            )
            await workspace_store.add_member(session, membership)

    await transact(backend.database, make)
    return workspace_id


def as_workspace(workspace_id: UUID) -> str:
    """The workspace's id as the API gives it."""
    return str(GlobalId("Workspace", workspace_id))


async def mails_to(backend: RunningBackend, address: str) -> int:
    """How many mails to this address wait."""
    return len(await queued_mails(backend.database, address))
