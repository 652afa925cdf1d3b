"""Organizations: making them, what they go by, and the id that the host product knows them by."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
import pytest_asyncio

from app.accounts.access.permissions import ApiScope
from app.accounts.workspaces.organizations import HANDLES_PER_WORKSPACE_A_DAY, PER_USER_A_DAY
from app.db.engine import Database
from app.ids import GlobalId
from tests.support.accounts import Person, new_person
from tests.support.api import running_api
from tests.support.organizations import AccountsApi, Organization, mutation


def _handle() -> str:
    return f"acme-{uuid4().hex[:12]}"


def _personal(person: Person) -> Organization:
    return Organization(str(GlobalId("Workspace", person.user.personal_workspace_id)), person)


@pytest_asyncio.fixture
async def limited_accounts(fresh_database: Database) -> AsyncGenerator[AccountsApi]:
    """People and organizations where rate limits count."""
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url, rate_limits="on") as running:
        yield AccountsApi(running)


async def test_whoever_makes_an_organization_owns_it(accounts: AccountsApi) -> None:
    person, handle = await accounts.person(), _handle()
    made = (await accounts.do(person, "createOrganization", name="  Acme Inc. ", handle=handle.title()))["workspace"]
    assert (made["name"], made["handle"], made["kind"]) == ("Acme Inc.", handle.title(), "ORGANIZATION")
    assert (made["viewerRole"], len(made["permissions"]), made["externalId"]) == ("OWNER", 6, None)
    listed = await accounts.ask(person, "{ viewer { workspaces { id kind } } }")
    assert [each["kind"] for each in listed["viewer"]["workspaces"]] == ["PERSONAL", "ORGANIZATION"]
    found = await accounts.ask(person, "query ($h: String) { workspace(handle: $h) { id } }", h=handle.upper())
    assert found["workspace"]["id"] == made["id"]


async def test_without_a_handle_one_is_made_up_from_the_name(accounts: AccountsApi) -> None:
    person, word = await accounts.person(), f"z{uuid4().hex[:10]}"
    made = (await accounts.do(person, "createOrganization", name=f"Zoë & {word}"))["workspace"]
    assert made["handle"] == f"zoe-{word}"
    again = (await accounts.do(person, "createOrganization", name=f"Zoë & {word}"))["workspace"]
    assert re.fullmatch(rf"zoe-{word}-\d{{4}}", again["handle"])
    nameless = (await accounts.do(person, "createOrganization", name="李"))["workspace"]
    assert re.fullmatch(r"organization-\d{10}", nameless["handle"])


async def test_users_and_organizations_share_one_namespace_of_handles(accounts: AccountsApi) -> None:
    handle = _handle()
    other = await new_person(accounts.database, handle=handle)
    person = await accounts.person()
    payload = await accounts.attempt(person, "createOrganization", name="Acme", handle=handle.upper())
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("HANDLE_TAKEN", ["input", "handle"])
    organization = await accounts.organization(person)
    before = await accounts.state(organization)
    assert await accounts.fails(person, "updateWorkspace", workspaceId=organization.id, handle=handle) == "HANDLE_TAKEN"
    assert await accounts.state(organization) == before
    assert (await accounts.row(other.user.personal_workspace_id)).handle == handle


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("name", " ", "INVALID_INPUT"),
        ("name", "x" * 101, "INVALID_INPUT"),
        ("name", "two\nlines", "INVALID_INPUT"),
        ("handle", "-acme", "HANDLE_INVALID"),
        ("handle", "admin", "HANDLE_INVALID"),
        ("externalId", " ", "INVALID_INPUT"),
        ("externalId", "x" * 256, "INVALID_INPUT"),
        ("externalId", "two\nlines", "INVALID_INPUT"),
    ],
)
async def test_what_an_organization_can_not_go_by_is_told_with_its_field(
    accounts: AccountsApi, member: str, value: str, code: str
) -> None:
    person = await accounts.person()
    organization = await accounts.organization(person)
    before = await accounts.state(organization)
    for name, given in (
        ("createOrganization", {"name": "Acme", member: value}),
        ("updateWorkspace", {"workspaceId": organization.id, member: value}),
    ):
        [error] = (await accounts.attempt(person, name, **given))["userErrors"]
        assert (error["code"], error["path"]) == (code, ["input", member])
    assert await accounts.state(organization) == before
    assert len((await accounts.ask(person, "{ viewer { workspaces { id } } }"))["viewer"]["workspaces"]) == 2


async def test_two_organizations_that_take_one_handle_at_once_one_gets_it(accounts: AccountsApi) -> None:
    people = [await accounts.person() for _ in range(6)]
    organizations = [await accounts.organization(person) for person in people]
    wanted = _handle()
    made = [accounts.attempt(person, "createOrganization", name="Acme", handle=wanted) for person in people]
    renamed = [
        accounts.attempt(each.owner, "updateWorkspace", workspaceId=each.id, handle=wanted.upper())
        for each in organizations
    ]
    answers = await asyncio.gather(*made, *renamed)
    assert [answer["workspace"] is not None for answer in answers].count(True) == 1
    refusals = {error["code"] for answer in answers for error in answer["userErrors"]}
    assert refusals == {"HANDLE_TAKEN"}


async def test_a_field_that_is_absent_stays_as_it_is(accounts: AccountsApi) -> None:
    organization = await accounts.organization(name="Acme", externalId=(known := uuid4().hex))
    before = await accounts.row(organization.row_id)
    changed = await accounts.do(organization.owner, "updateWorkspace", workspaceId=organization.id, name="Acme 2")
    after = changed["workspace"]
    assert (after["name"], after["handle"], after["externalId"]) == ("Acme 2", before.handle, known)
    assert (await accounts.row(organization.row_id)).version == before.version + 1
    unchanged = await accounts.state(organization)
    await accounts.do(organization.owner, "updateWorkspace", workspaceId=organization.id)
    await accounts.do(
        organization.owner, "updateWorkspace", workspaceId=organization.id, name="Acme 2", externalId=known
    )
    assert await accounts.state(organization) == unchanged


@pytest.mark.parametrize("member", ["name", "handle"])
async def test_nothing_is_cleared_that_a_workspace_needs(accounts: AccountsApi, member: str) -> None:
    organization = await accounts.organization()
    before = await accounts.state(organization)
    given = {"workspaceId": organization.id, member: None}
    [error] = (await accounts.attempt(organization.owner, "updateWorkspace", **given))["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", member])
    assert await accounts.state(organization) == before


async def test_an_organizations_new_handle_finds_it_and_the_old_one_finds_nothing(accounts: AccountsApi) -> None:
    old, new = _handle(), _handle()
    organization = await accounts.organization(handle=old)
    await accounts.do(organization.owner, "updateWorkspace", workspaceId=organization.id, handle=new)
    query = "query ($h: String) { workspace(handle: $h) { id } }"
    assert (await accounts.ask(organization.owner, query, h=new))["workspace"]["id"] == organization.id
    assert (await accounts.ask(organization.owner, query, h=old))["workspace"] is None
    shown = await accounts.do(organization.owner, "updateWorkspace", workspaceId=organization.id, handle=new.upper())
    assert shown["workspace"]["handle"] == new.upper()


async def test_a_personal_workspace_changes_its_name_and_external_id_and_not_its_handle(accounts: AccountsApi) -> None:
    person, known = await accounts.person(), uuid4().hex
    personal = _personal(person)
    changed = await accounts.do(person, "updateWorkspace", workspaceId=personal.id, name="Mine", externalId=known)
    assert (changed["workspace"]["name"], changed["workspace"]["externalId"]) == ("Mine", known)
    before = await accounts.state(personal)
    payload = await accounts.attempt(person, "updateWorkspace", workspaceId=personal.id, handle=_handle())
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "handle"])
    assert "changeHandle" in error["message"]
    assert await accounts.state(personal) == before


@pytest.mark.parametrize("role", ["ADMIN", "MEMBER"])
async def test_only_owners_change_what_a_workspace_goes_by(accounts: AccountsApi, role: str) -> None:
    organization = await accounts.organization()
    member = await accounts.seat(organization, await accounts.person(), role)
    stranger = await accounts.person()
    before = await accounts.state(organization)
    for given in ({"name": "Mine"}, {"handle": _handle()}, {"externalId": uuid4().hex}):
        given = {"workspaceId": organization.id, **given}
        assert await accounts.forbidden(member, "updateWorkspace", **given) == "FORBIDDEN"
        assert await accounts.forbidden(stranger, "updateWorkspace", **given) == "NOT_FOUND"
        assert await accounts.forbidden(None, "updateWorkspace", **given) == "UNAUTHENTICATED"
    assert await accounts.state(organization) == before


async def test_an_owner_sets_an_external_id_once_and_servers_change_and_clear_it(accounts: AccountsApi) -> None:
    known, other = uuid4().hex, uuid4().hex
    organization = await accounts.organization()
    given = {"workspaceId": organization.id}
    await accounts.do(organization.owner, "updateWorkspace", **given, externalId=known)
    before = await accounts.state(organization)
    for value in (other, None):
        assert await accounts.forbidden(organization.owner, "updateWorkspace", **given, externalId=value) == "FORBIDDEN"
    assert await accounts.state(organization) == before
    operator = await accounts.key(ApiScope.OPERATOR)
    changed = await accounts.do(operator, "updateWorkspace", **given, externalId=other)
    assert changed["workspace"]["externalId"] == other
    found = await accounts.ask(operator, "query ($e: String) { workspace(externalId: $e) { id } }", e=other)
    assert found["workspace"]["id"] == organization.id
    cleared = await accounts.do(operator, "updateWorkspace", **given, externalId=None)
    assert cleared["workspace"]["externalId"] is None
    await accounts.do(organization.owner, "updateWorkspace", **given, externalId=known)


async def test_a_key_changes_external_ids_and_nothing_else(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    given = {"workspaceId": organization.id}
    operator = await accounts.key(ApiScope.OPERATOR)
    other = await accounts.key(
        ApiScope.BILLING_READ, ApiScope.BILLING_WRITE, ApiScope.CREDITS_WRITE, ApiScope.USAGE_WRITE
    )
    before = await accounts.state(organization)
    for change in ({"name": "Theirs"}, {"handle": _handle()}, {"name": "Theirs", "externalId": uuid4().hex}):
        assert await accounts.forbidden(operator, "updateWorkspace", **given, **change) == "FORBIDDEN"
    assert await accounts.forbidden(other, "updateWorkspace", **given, externalId=uuid4().hex) == "FORBIDDEN"
    assert await accounts.forbidden(operator, "createOrganization", name="Theirs") == "FORBIDDEN"
    assert await accounts.forbidden(None, "createOrganization", name="Theirs") == "UNAUTHENTICATED"
    assert await accounts.state(organization) == before


async def test_an_external_id_is_one_workspaces(accounts: AccountsApi) -> None:
    known = uuid4().hex
    await accounts.organization(externalId=known)
    other = await accounts.organization()
    before = await accounts.state(other)
    operator = await accounts.key(ApiScope.OPERATOR)
    for who, name, given in (
        (other.owner, "updateWorkspace", {"workspaceId": other.id}),
        (operator, "updateWorkspace", {"workspaceId": other.id}),
        (other.owner, "createOrganization", {"name": "Acme"}),
    ):
        [error] = (await accounts.attempt(who, name, **given, externalId=known))["userErrors"]
        assert (error["code"], error["path"]) == ("CONFLICT", ["input", "externalId"])
    assert await accounts.state(other) == before
    listed = await accounts.ask(other.owner, "{ viewer { workspaces { id } } }")
    assert len(listed["viewer"]["workspaces"]) == 2


async def test_of_many_who_take_one_external_id_at_once_one_gets_it(accounts: AccountsApi) -> None:
    known = uuid4().hex
    organizations = [await accounts.organization() for _ in range(4)]
    people = [await accounts.person() for _ in range(4)]
    answers = await asyncio.gather(
        *(
            accounts.attempt(each.owner, "updateWorkspace", workspaceId=each.id, externalId=known)
            for each in organizations
        ),
        *(accounts.attempt(person, "createOrganization", name="Acme", externalId=known) for person in people),
    )
    assert [answer["workspace"] is not None for answer in answers].count(True) == 1
    assert {error["code"] for answer in answers for error in answer["userErrors"]} == {"CONFLICT"}


async def test_a_host_can_leave_external_ids_to_its_servers(fresh_database: Database) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url, external_ids="servers") as running:
        accounts = AccountsApi(running)
        organization = await accounts.organization()
        before = await accounts.state(organization)
        given = {"workspaceId": organization.id, "externalId": "guessed"}
        assert await accounts.forbidden(organization.owner, "updateWorkspace", **given) == "FORBIDDEN"
        form = {"name": "Acme", "externalId": "guessed"}
        assert await accounts.forbidden(organization.owner, "createOrganization", **form) == "FORBIDDEN"
        assert await accounts.state(organization) == before
        await accounts.do(organization.owner, "updateWorkspace", workspaceId=organization.id, externalId=None)
        changed = await accounts.do(await accounts.key(ApiScope.OPERATOR), "updateWorkspace", **given)
        assert changed["workspace"]["externalId"] == "guessed"


async def test_one_person_makes_twenty_organizations_a_day(limited_accounts: AccountsApi) -> None:
    person, other = await limited_accounts.person(), await limited_accounts.person()
    taken = (await limited_accounts.row(other.user.personal_workspace_id)).handle
    assert await limited_accounts.fails(person, "createOrganization", name="Acme", handle=taken) == "HANDLE_TAKEN"
    for _ in range(PER_USER_A_DAY.most):
        await limited_accounts.organization(person)
    assert await limited_accounts.forbidden(person, "createOrganization", name="Acme") == "RATE_LIMITED"
    await limited_accounts.organization(other)


async def test_an_organization_changes_its_handle_ten_times_a_day(limited_accounts: AccountsApi) -> None:
    organization = await limited_accounts.organization()
    given = {"workspaceId": organization.id}
    taken = (await limited_accounts.row(organization.owner.user.personal_workspace_id)).handle
    assert await limited_accounts.fails(organization.owner, "updateWorkspace", **given, handle=taken) == "HANDLE_TAKEN"
    for _ in range(HANDLES_PER_WORKSPACE_A_DAY.most):
        await limited_accounts.do(organization.owner, "updateWorkspace", **given, handle=_handle())
    code = await limited_accounts.forbidden(organization.owner, "updateWorkspace", **given, handle=_handle())
    assert code == "RATE_LIMITED"
    await limited_accounts.do(organization.owner, "updateWorkspace", **given, name="Another name")


async def test_what_an_organization_goes_by_is_in_its_log_without_ids_of_the_host(accounts: AccountsApi) -> None:
    old, new, known = _handle(), _handle(), uuid4().hex
    organization = await accounts.organization(handle=old, name="Acme", externalId=known)
    given = {"workspaceId": organization.id}
    await accounts.do(organization.owner, "updateWorkspace", **given, name="Acme Inc.", handle=new)
    await accounts.do(await accounts.key(ApiScope.OPERATOR), "updateWorkspace", **given, externalId=None)
    log = await accounts.log(organization.row_id)
    assert [(event.action, event.detail) for event in log] == [
        ("organization.created", {"before": None, "after": {"name": "Acme", "handle": old}}),
        ("workspace.external_id_set", {"before": {"isSet": False}, "after": {"isSet": True}}),
        ("workspace.renamed", {"before": {"name": "Acme"}, "after": {"name": "Acme Inc."}}),
        ("workspace.handle_changed", {"before": {"handle": old}, "after": {"handle": new}}),
        ("workspace.external_id_cleared", {"before": {"isSet": True}, "after": {"isSet": False}}),
    ]
    assert [event.actor_user_id for event in log[:4]] == [organization.owner.user.id] * 4
    assert log[4].actor_key_id is not None
    assert not [event for event in log if known in f"{event.summary} {event.detail}"]


async def test_a_persons_name_is_not_in_the_log_of_their_workspace(accounts: AccountsApi) -> None:
    person = await accounts.person()
    given = {"workspaceId": _personal(person).id}
    await accounts.do(person, "updateWorkspace", **given, name="Secret name")
    event = (await accounts.log(person.user.personal_workspace_id))[-1]
    assert (event.action, event.detail) == ("workspace.renamed", None)


async def test_a_workspaces_plan_and_subscription_are_seen_by_all_who_see_it(
    accounts: AccountsApi, one_seat_accounts: AccountsApi
) -> None:
    query = """query ($id: ID!) {
      workspace(id: $id) { plan { code } subscription { id plan { code } seats { total used available } } }
    }"""
    organization = await accounts.organization()
    member = await accounts.member(organization)
    key = await accounts.key(ApiScope.USAGE_WRITE)
    node = "query ($id: ID!) { node(id: $id) { ... on Subscription { seats { used } } } }"
    for who in (organization.owner, member, key):
        seen = (await accounts.ask(who, query, id=organization.id))["workspace"]
        assert seen["plan"] == seen["subscription"]["plan"] == {"code": "pay-as-you-go"}
        assert seen["subscription"]["seats"] == {"total": 10, "used": 2, "available": 8}
        assert (await accounts.ask(who, node, id=seen["subscription"]["id"]))["node"] == {"seats": {"used": 2}}
    alone = await one_seat_accounts.organization()
    seen = (await one_seat_accounts.ask(alone.owner, query, id=alone.id))["workspace"]
    assert seen["plan"] == {"code": "free"}
    assert seen["subscription"]["seats"] == {"total": 1, "used": 1, "available": 0}


async def test_an_id_of_something_else_is_no_workspace(accounts: AccountsApi) -> None:
    person = await accounts.person()
    for text in ("", "Workspace_", str(GlobalId("User", person.user.personal_workspace_id))):
        variables = {"input": {"workspaceId": text, "name": "Mine"}}
        assert await accounts.refused(person, mutation("updateWorkspace"), **variables) == "NOT_FOUND"
        assert await accounts.refused(None, mutation("updateWorkspace"), **variables) == "UNAUTHENTICATED"
