"""The audit log as owners read it: pages, who did it as they are called now, what was before and after."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, text, update

from app.accounts.access import audit_log
from app.accounts.access.audit_log import OPERATOR, SYSTEM, Actor
from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.accounts.people.handles import RESERVED
from app.db.engine import Session
from app.db.readers import Readers
from app.db.tables.people import UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import GlobalId
from tests.support import operations
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend

_NODE = "query ($id: ID!) { node(id: $id) { ... on AuditEvent { id action actor detail } } }"


async def _log(backend: RunningBackend, owner: Person, **page: object) -> dict[str, Any]:
    data = await backend.api.query(operations.AUDIT_LOG, {"id": owner.workspace, **page}, token=owner.token)
    return data["workspace"]["auditLog"]


async def _record(
    backend: RunningBackend, owner: Person, actor: Actor, action: str = "test.done", *, times: int = 1, **more: Any
) -> None:
    async def work(session: Session) -> None:
        for _ in range(times):
            await audit_log.record(session, owner.workspace_id, actor, action, "A test did something.", **more)

    await transact(backend.database, work)


async def _tests_events(backend: RunningBackend, owner: Person) -> list[dict[str, Any]]:
    return [node for node in (await _log(backend, owner))["nodes"] if node["action"] == "test.done"]


@contextmanager
def _statements() -> Generator[list[str]]:
    """The statements that read, while this is open."""
    sent: list[str] = []
    fetch = Readers.fetch_record

    async def noted(self: Readers, sql: str, parameters: Sequence[Any]) -> Sequence[Any]:
        sent.append(sql)
        return await fetch(self, sql, parameters)

    with patch.object(Readers, "fetch_record", noted):
        yield sent


async def test_pages_follow_each_other_newest_first_though_many_events_have_the_same_time(
    backend: RunningBackend,
) -> None:
    owner = await backend.sign_up()
    await _record(backend, owner, SYSTEM, "first")
    await _record(backend, owner, SYSTEM, "second", times=5)
    await _record(backend, owner, SYSTEM, "third")

    pages: list[dict[str, Any]] = []
    after: str | None = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(await _log(backend, owner, first=3, after=after))
        after = pages[-1]["pageInfo"]["endCursor"]

    nodes = [node for page in pages for node in page["nodes"]]
    assert [node["action"] for node in nodes] == ["third", *["second"] * 5, "first", "workspace.created"]
    assert len({node["id"] for node in nodes}) == len(nodes)
    assert [len(page["nodes"]) for page in pages] == [3, 3, 2]
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False, True, True]


async def test_a_page_stays_where_it_is_while_new_events_come_in(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await _record(backend, owner, SYSTEM, "old", times=3)
    first = await _log(backend, owner, first=2)

    await _record(backend, owner, SYSTEM, "new")

    rest = await _log(backend, owner, first=50, after=first["pageInfo"]["endCursor"])
    assert [node["action"] for node in rest["nodes"]] == ["old", "workspace.created"]


async def test_a_page_has_fifty_events_unless_asked_otherwise(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await _record(backend, owner, SYSTEM, times=60)
    unsaid = "query ($id: ID!) { workspace(id: $id) { auditLog { nodes { id } } } }"
    null = "query ($id: ID!) { workspace(id: $id) { auditLog(first: null) { nodes { id } } } }"

    for document in (unsaid, null):
        data = await backend.api.query(document, {"id": owner.workspace}, token=owner.token)
        assert len(data["workspace"]["auditLog"]["nodes"]) == 50
    assert len((await _log(backend, owner, first=100))["nodes"]) == 61


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "page",
    [
        {"first": 101},
        {"first": -1},
        {"after": ""},
        {"after": "nonsense"},
        {"after": _cursor("2026-01-01T00:00:00|" + "0" * 32)},
        {"after": _cursor("0001-01-01T00:00:00+23:59|" + "0" * 32)},
        {"after": _cursor("2026-01-01T00:00:00+00:00|nobody")},
        {"after": _cursor("2026-01-01T00:00:00+00:00")},
    ],
)
async def test_a_page_that_can_not_be_is_refused(backend: RunningBackend, page: dict[str, object]) -> None:
    owner = await backend.sign_up()

    code = await backend.api.refused(operations.AUDIT_LOG, {"id": owner.workspace, **page}, token=owner.token)

    assert code == "BAD_USER_INPUT"


async def test_a_person_goes_by_the_handle_they_have_now(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await _record(backend, owner, Actor(user_id=owner.user_id))
    handle = f"renamed-{uuid4().hex[:12]}"

    async def rename(session: Session) -> None:
        chosen = update(WorkspaceRow).where(WorkspaceRow.id == owner.workspace_id)
        await session.execute(chosen.values(handle=handle))

    await transact(backend.database, rename)

    [event] = await _tests_events(backend, owner)
    assert event["actor"] == handle


async def test_whose_account_is_gone_is_a_deleted_user_as_actor_and_as_subject(backend: RunningBackend) -> None:
    owner, gone = await backend.sign_up(), await backend.sign_up()
    await _record(backend, owner, Actor(user_id=gone.user_id), subject=gone.user_id)

    async def erase(session: Session) -> None:
        await session.execute(delete(WorkspaceRow).where(WorkspaceRow.id == gone.workspace_id))
        await session.execute(delete(UserRow).where(UserRow.id == gone.user_id))

    await transact(backend.database, erase)

    [event] = await _tests_events(backend, owner)
    assert (event["actor"], json.loads(event["detail"])) == ("deleted-user", {"subject": "deleted-user"})


async def test_keys_go_by_their_names_the_rest_by_what_they_are(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    made = await backend.api_key(owner, ApiScope.BILLING_READ, name="CI of Ada")
    key_id = await _key_id(backend, made["secret"])
    await _record(backend, owner, Actor(key_id=key_id))
    await backend.api.query(operations.REVOKE_API_KEY, {"input": {"id": made["apiKey"]["id"]}}, token=owner.token)
    for actor in (Actor(key_id=uuid4()), SYSTEM, OPERATOR):
        await _record(backend, owner, actor)

    actors = [node["actor"] for node in await _tests_events(backend, owner)]

    assert actors == ["operator", "system", "deleted-key", "api-key:CI of Ada"]


async def _key_id(backend: RunningBackend, secret: str) -> UUID:
    async with backend.database.read() as session:
        row = await session.scalar(text("SELECT id FROM api_keys WHERE prefix = :prefix"), {"prefix": secret[:10]})
    assert isinstance(row, UUID)
    return row


def test_nobody_can_take_a_handle_that_passes_for_what_is_no_person() -> None:
    assert {"system", "operator", "deleted-user", "deleted-key"} <= RESERVED


async def test_the_detail_is_json_of_before_and_after_and_whom_it_was_done_to(backend: RunningBackend) -> None:
    owner, member = await backend.sign_up(), await backend.sign_up()
    before, after = {"role": "MEMBER"}, {"role": "ADMIN"}
    await _record(backend, owner, SYSTEM, before=before, after=after, subject=member.user_id)
    await _record(backend, owner, SYSTEM, after=after)
    await _record(backend, owner, SYSTEM)
    async with backend.database.read() as session:
        workspace = await session.get_one(WorkspaceRow, member.workspace_id)

    nothing, after_only, everything = [node["detail"] for node in await _tests_events(backend, owner)]

    assert nothing is None
    assert json.loads(after_only) == {"before": None, "after": after}
    assert json.loads(everything) == {"before": before, "after": after, "subject": workspace.handle}


async def test_a_page_costs_as_many_statements_however_many_people_and_keys_are_in_it(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    people = [await backend.sign_up() for _ in range(6)]
    await _record(backend, owner, Actor(user_id=owner.user_id), subject=owner.user_id)
    await _record(backend, owner, Actor(key_id=uuid4()))
    await _log(backend, owner)
    with _statements() as few:
        await _log(backend, owner)

    for person, other in zip(people, people[::-1], strict=True):
        await _record(backend, owner, Actor(user_id=person.user_id), subject=other.user_id)
        await _record(backend, owner, Actor(key_id=uuid4()))
    with _statements() as many:
        nodes = (await _log(backend, owner))["nodes"]

    assert len(nodes) == 15
    assert len(many) == len(few) == 3


@pytest.mark.parametrize("role", [WorkspaceRole.ADMIN, WorkspaceRole.MEMBER])
async def test_the_log_is_the_owners(backend: RunningBackend, role: WorkspaceRole) -> None:
    owner, other, stranger = [await backend.sign_up() for _ in range(3)]
    await let_in(backend.database, owner.workspace_id, other.user_id, role)
    [node] = (await _log(backend, owner))["nodes"]
    services = await backend.service_key(*ApiScope)

    for token in (other.token, services):
        seen = await backend.api.query(operations.AUDIT_LOG, {"id": owner.workspace}, token=token)
        assert seen["workspace"]["auditLog"] is None
    for token in (other.token, services, stranger.token):
        assert (await backend.api.query(_NODE, {"id": node["id"]}, token=token))["node"] is None
    own = (await backend.api.query(_NODE, {"id": node["id"]}, token=owner.token))["node"]
    assert (own["id"], own["action"]) == (node["id"], "workspace.created")


async def test_an_event_of_another_workspace_is_none_of_this_one(backend: RunningBackend) -> None:
    owner, other = await backend.sign_up(), await backend.sign_up()
    async with backend.database.read() as session:
        found = await session.scalars(
            text("SELECT id FROM audit_events WHERE workspace_id = :id"), {"id": other.workspace_id}
        )
        [foreign] = found.all()

    relabelled = str(GlobalId("AuditEvent", foreign, owner.workspace_id))

    assert (await backend.api.query(_NODE, {"id": relabelled}, token=owner.token))["node"] is None


async def test_times_of_events_are_the_products(own_backend: RunningBackend) -> None:
    owner = await own_backend.sign_up()
    await own_backend.advance("P40D")
    await _record(own_backend, owner, SYSTEM)

    nodes = (await _log(own_backend, owner))["nodes"]

    assert [node["action"] for node in nodes] == ["test.done", "workspace.created"]
    async with own_backend.database.read() as session:
        newest = await session.scalar(
            text("SELECT max(at) - min(at) FROM audit_events WHERE workspace_id = :id"), {"id": owner.workspace_id}
        )
    assert newest > timedelta(days=39)
