"""A workspace's own keys: who makes them, what they may do, and how they end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update

from app.accounts.access.api_keys import MOST_KEYS
from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.db.engine import Database, Session
from app.db.tables.access import ApiKeyRow, AuditEventRow
from app.db.unit_of_work import transact
from app.ids import GlobalId, parse_global_id, uuid7
from tests.support import operations
from tests.support.accounts import new_person
from tests.support.api import running_api
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend

READ, WRITE = ApiScope.BILLING_READ, ApiScope.BILLING_WRITE
_VIEWER = "{ viewer { id } }"


async def _create(backend: RunningBackend, owner: Person, **given: object) -> dict[str, Any]:
    """The payload of `createApiKey` for a usual key with `given` changed."""
    usual = {"workspaceId": owner.workspace, "name": "CI", "scopes": ["BILLING_READ"]}
    data = await backend.api.query(operations.CREATE_API_KEY, {"input": {**usual, **given}}, token=owner.token)
    return data["createApiKey"]


async def _keys(backend: RunningBackend, owner: Person) -> list[dict[str, Any]]:
    data = await backend.api.query(operations.API_KEYS, {"id": owner.workspace}, token=owner.token)
    return data["workspace"]["apiKeys"]


async def _revoke(backend: RunningBackend, owner: Person, key_id: str) -> dict[str, Any]:
    data = await backend.api.query(operations.REVOKE_API_KEY, {"input": {"id": key_id}}, token=owner.token)
    return data["revokeApiKey"]


async def _audited(backend: RunningBackend, owner: Person) -> list[AuditEventRow]:
    query = select(AuditEventRow).where(
        AuditEventRow.workspace_id == owner.workspace_id, AuditEventRow.action.startswith("key.")
    )
    async with backend.database.read() as session:
        return list(await session.scalars(query.order_by(AuditEventRow.id)))


def _row_id(key_id: str) -> UUID:
    row_id = parse_global_id(key_id).id
    assert isinstance(row_id, UUID)
    return row_id


async def test_an_owner_makes_a_key_whose_secret_is_shown_once_and_kept_as_a_hash(backend: RunningBackend) -> None:
    owner = await backend.sign_up()

    made = await _create(backend, owner, name="  CI  ", scopes=["BILLING_WRITE", "BILLING_READ", "BILLING_WRITE"])

    secret, key = made["secret"], made["apiKey"]
    assert (len(secret), secret[:4], key["prefix"]) == (47, "cfk_", secret[:10])
    assert (key["name"], key["scopes"]) == ("CI", ["BILLING_READ", "BILLING_WRITE"])
    assert (key["lastUsedAt"], key["expiresAt"]) == (None, None)
    assert await _keys(backend, owner) == [key]
    async with backend.database.read() as session:
        kept = await session.scalar(text("SELECT string_agg(k::text, '') FROM api_keys k"))
        audited = await session.scalar(text("SELECT string_agg(e::text, '') FROM audit_events e"))
    assert secret not in kept
    assert secret[10:] not in audited


async def test_keys_are_listed_newest_first_without_revoked_ones(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    first, second, third = [(await _create(backend, owner, name=name))["apiKey"] for name in ("one", "two", "three")]

    revoked = await _revoke(backend, owner, second["id"])

    assert revoked["workspace"]["apiKeys"] == [{"id": third["id"]}, {"id": first["id"]}]
    assert [key["name"] for key in await _keys(backend, owner)] == ["three", "one"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["BILLING_READ", "USAGE_WRITE"]}, "scopes"),
        ({"scopes": ["CREDITS_WRITE"]}, "scopes"),
        ({"scopes": ["OPERATOR"]}, "scopes"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
    ],
)
async def test_a_key_that_can_not_be_is_refused_at_its_field_and_not_made(
    backend: RunningBackend, given: dict[str, object], field: str
) -> None:
    owner = await backend.sign_up()

    refused = await _create(backend, owner, **given)

    [error] = refused["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", field])
    assert error["message"].endswith(".")
    assert (refused["apiKey"], refused["secret"]) == (None, None)
    assert await _keys(backend, owner) == []
    assert await _audited(backend, owner) == []


async def test_a_keys_time_is_the_walls_however_far_the_products_was_moved(own_backend: RunningBackend) -> None:
    owner = await own_backend.sign_up()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    secret = (await _create(own_backend, owner, expiresAt=tomorrow))["secret"]

    await own_backend.advance("P3D")

    assert (await own_backend.api.query(operations.BALANCE, {"id": owner.workspace}, token=secret))["workspace"]
    assert (await _create(own_backend, owner, expiresAt=tomorrow))["userErrors"] == []


async def test_a_workspace_has_fifty_keys_at_most_however_many_are_made_at_once(backend: RunningBackend) -> None:
    owner = await backend.sign_up()

    async def fill(session: Session) -> None:
        long_ago = session.real_now - timedelta(days=1)
        for number in range(MOST_KEYS - 3):
            values = {"id": uuid7(), "workspace_id": owner.workspace_id, "name": "old", "prefix": "cfk_000000"}
            values |= {"secret_hash": f"{owner.workspace_id} {number}".encode(), "scopes": ["BILLING_READ"]}
            # half of them expired, which count until they are revoked
            values |= {"created_at": long_ago, "expires_at": long_ago if number % 2 else None}
            await session.execute(insert(ApiKeyRow).values(values))

    await transact(backend.database, fill)

    made = await asyncio.gather(*(_create(backend, owner) for _ in range(10)))

    assert sum(each["secret"] is not None for each in made) == 3
    assert {error["code"] for each in made for error in each["userErrors"]} == {"INVALID_INPUT"}
    keys = await _keys(backend, owner)
    assert len(keys) == MOST_KEYS
    await _revoke(backend, owner, keys[-1]["id"])
    assert (await _create(backend, owner))["userErrors"] == []


@pytest.mark.parametrize("role", [WorkspaceRole.ADMIN, WorkspaceRole.MEMBER])
async def test_only_owners_see_make_and_revoke_keys(backend: RunningBackend, role: WorkspaceRole) -> None:
    owner, other = await backend.sign_up(), await backend.sign_up()
    await let_in(backend.database, owner.workspace_id, other.user_id, role)
    key = (await _create(backend, owner))["apiKey"]
    given = {"workspaceId": owner.workspace, "name": "CI", "scopes": ["BILLING_READ"]}

    seen = await backend.api.query(operations.API_KEYS, {"id": owner.workspace}, token=other.token)
    made = await backend.api.refused(operations.CREATE_API_KEY, {"input": given}, token=other.token)
    revoked = await backend.api.refused(operations.REVOKE_API_KEY, {"input": {"id": key["id"]}}, token=other.token)

    assert (seen["workspace"]["apiKeys"], made, revoked) == (None, "FORBIDDEN", "FORBIDDEN")
    assert await _keys(backend, owner) == [key]


async def test_a_key_makes_and_revokes_no_keys(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    made = await backend.api_key(owner, READ, WRITE)
    given = {"workspaceId": owner.workspace, "name": "CI", "scopes": ["BILLING_READ"]}
    services = await backend.service_key(*ApiScope)

    for token in (made["secret"], services):
        assert await backend.api.refused(operations.CREATE_API_KEY, {"input": given}, token=token) == "FORBIDDEN"
        revoking = {"input": {"id": made["apiKey"]["id"]}}
        assert await backend.api.refused(operations.REVOKE_API_KEY, revoking, token=token) == "FORBIDDEN"

    assert [key["id"] for key in await _keys(backend, owner)] == [made["apiKey"]["id"]]


async def test_a_key_that_may_write_buys_as_an_owner_does_and_is_nobody_in_person(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    key = Person(owner.address, (await backend.api_key(owner, WRITE))["secret"], owner.user_id, owner.workspace_id)

    bought = await backend.recharge(key)
    begun = await backend.api.query(operations.ADD_CARD, {"input": {"workspaceId": key.workspace}}, token=key.token)

    assert (bought["userErrors"], bought["purchase"]["status"]) == ([], "SUCCEEDED")
    assert begun["addPaymentMethod"]["clientSecret"]
    assert (await backend.api.query(_VIEWER, token=key.token))["viewer"] is None
    assert await backend.api.refused(operations.SEND_PHONE_VERIFICATION, _phone(owner), token=key.token) == "FORBIDDEN"


def _phone(owner: Person) -> dict[str, object]:
    return {"input": {"workspaceId": owner.workspace, "phoneNumber": "+31612345678"}}


async def test_a_key_that_may_only_read_changes_nothing(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    token = (await backend.api_key(owner, READ))["secret"]
    order = {"workspaceId": owner.workspace, "packCode": "starter", "idempotencyKey": "a key that reads"}

    refused = await backend.api.refused(operations.RECHARGE, {"input": order}, token=token)

    assert refused == "FORBIDDEN"
    seen = await backend.api.query(operations.BALANCE, {"id": owner.workspace}, token=token)
    assert seen["workspace"]["creditBalance"]["available"] == "0"
    assert await backend.charges(owner) == []


async def test_a_key_reaches_no_other_workspace_of_its_owner(backend: RunningBackend) -> None:
    owner, other = await backend.sign_up(), await backend.sign_up()
    await let_in(backend.database, other.workspace_id, owner.user_id, WorkspaceRole.OWNER)
    token = (await backend.api_key(owner, READ, WRITE))["secret"]

    seen = await backend.api.query(operations.BALANCE, {"id": other.workspace}, token=token)

    assert seen["workspace"] is None


async def test_the_last_use_of_a_key_is_shown(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    token = (await backend.api_key(owner, READ))["secret"]
    before = datetime.now(UTC)

    await backend.api.query(operations.BALANCE, {"id": owner.workspace}, token=token)

    [key] = await _keys(backend, owner)
    assert before <= datetime.fromisoformat(key["lastUsedAt"]) <= datetime.now(UTC)


async def test_a_revoked_key_is_nobodys_at_once_and_stays_named_in_the_log(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    made = await backend.api_key(owner, READ, name="CI")
    token, key_id = made["secret"], made["apiKey"]["id"]

    await _revoke(backend, owner, key_id)

    assert await backend.api.refused(operations.BALANCE, {"id": owner.workspace}, token=token) == "UNAUTHENTICATED"
    node = await backend.api.query("query ($id: ID!) { node(id: $id) { id } }", {"id": key_id}, token=owner.token)
    assert node["node"] is None
    async with backend.database.read() as session:
        row = await session.get(ApiKeyRow, _row_id(key_id))
    assert row is not None
    assert (row.name, row.revoked_at is not None) == ("CI", True)


async def test_revoking_a_key_again_changes_nothing_and_answers_alike(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    key_id = (await backend.api_key(owner, READ))["apiKey"]["id"]

    answers = await asyncio.gather(*(_revoke(backend, owner, key_id) for _ in range(5)))

    assert all(answer == {"workspace": {"id": owner.workspace, "apiKeys": []}, "userErrors": []} for answer in answers)
    assert [event.action for event in await _audited(backend, owner)] == ["key.created", "key.revoked"]


async def test_the_key_of_others_is_not_found_like_one_that_never_was(backend: RunningBackend) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()
    key_id = (await backend.api_key(owner, READ))["apiKey"]["id"]
    mine = (await backend.api_key(stranger, READ))["apiKey"]["id"]
    service, _ = await _service_key_id(backend)

    for wanted in (key_id, key_id[:-4] + "AAAA", mine.replace("ApiKey", "Invoice"), "", service):
        code = await backend.api.refused(operations.REVOKE_API_KEY, {"input": {"id": wanted}}, token=stranger.token)
        assert code == "NOT_FOUND", wanted
    assert len(await _keys(backend, owner)) == 1


async def _service_key_id(backend: RunningBackend) -> tuple[str, str]:
    secret = await backend.service_key(READ)
    async with backend.database.read() as session:
        row = (await session.scalars(select(ApiKeyRow).where(ApiKeyRow.prefix == secret[:10]))).one()
    return f"ApiKey_{row.id}", secret


async def test_revoking_a_key_ends_what_it_watches(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    made = await backend.api_key(owner, READ)
    async with backend.api.socket(made["secret"]) as socket:
        await socket.subscribe(operations.WATCH_BALANCE, {"id": owner.workspace})

        await _revoke(backend, owner, made["apiKey"]["id"])
        # what is done by itself every 30 seconds
        backend.parts.runtime.hub.recheck()

        message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_log_tells_who_made_and_revoked_a_key_and_what_it_could(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    key = (await _create(backend, owner, name="The name is the customer's word"))["apiKey"]
    await _revoke(backend, owner, key["id"])

    created, revoked = await _audited(backend, owner)

    logged = {"prefix": key["prefix"], "scopes": ["BILLING_READ"]}
    assert (created.action, created.actor_user_id) == ("key.created", owner.user_id)
    assert created.detail == {"before": None, "after": {**logged, "expiresAt": None}}
    assert (revoked.action, revoked.actor_user_id) == ("key.revoked", owner.user_id)
    assert revoked.detail == {"before": logged, "after": None}


async def test_an_expired_key_is_nobodys_and_still_listed(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await _create(backend, owner, expiresAt=soon)

    async def expire(session: Session) -> None:
        past = session.real_now - timedelta(seconds=1)
        row_id = _row_id(made["apiKey"]["id"])
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == row_id).values(expires_at=past))

    await transact(backend.database, expire)

    code = await backend.api.refused(operations.BALANCE, {"id": owner.workspace}, token=made["secret"])
    assert code == "UNAUTHENTICATED"
    assert [key["id"] for key in await _keys(backend, owner)] == [made["apiKey"]["id"]]


async def test_making_keys_is_rate_limited_per_workspace(database: Database) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    owner, other = await new_person(database), await new_person(database)
    async with running_api(url, rate_limits="on") as api, api.program(owner.token) as program:
        given = {"name": "CI", "scopes": ["BILLING_READ"], "workspaceId": _workspace(owner.user.personal_workspace_id)}
        for _ in range(20):
            await program.run(operations.CREATE_API_KEY, input=given)

        refused = await program.refused(operations.CREATE_API_KEY, input=given)

        assert refused["code"] == "RATE_LIMITED"
        assert 3500 < refused["retryAfterSeconds"] <= 3600
        async with api.program(other.token) as another:
            given["workspaceId"] = _workspace(other.user.personal_workspace_id)
            assert (await another.run(operations.CREATE_API_KEY, input=given))["createApiKey"]["secret"]


def _workspace(workspace_id: UUID) -> str:
    return str(GlobalId("Workspace", workspace_id))


async def test_a_key_tells_who_made_it_as_long_as_their_account_is_there(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    made = await _create(backend, owner)
    asked = "query ($id: ID!) { viewer { handle } workspace(id: $id) { apiKeys { createdBy } } }"
    told = await backend.api.query(asked, {"id": owner.workspace}, token=owner.token)
    assert told["workspace"]["apiKeys"] == [{"createdBy": told["viewer"]["handle"]}]

    async def let_maker_be_gone(session: Session) -> None:
        key = ApiKeyRow.id == _row_id(made["apiKey"]["id"])
        await session.execute(update(ApiKeyRow).where(key).values(created_by=uuid7()))

    await transact(backend.database, let_maker_be_gone)
    told = await backend.api.query(asked, {"id": owner.workspace}, token=owner.token)
    assert told["workspace"]["apiKeys"] == [{"createdBy": None}]
