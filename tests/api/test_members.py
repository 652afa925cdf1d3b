"""Members: who sees them, who changes their roles, who removes them, and that an owner always remains."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event, update

from app.accounts.access.api_keys import KEY_PREFIXES
from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.accounts.people.users import Visibility
from app.accounts.security.secrets import new_token, token_hash
from app.accounts.workspaces.members import manages
from app.db.engine import Database, Session
from app.db.tables.access import ApiKeyRow
from app.db.tables.people import UserRow
from app.db.tables.workspaces import MembershipRow
from app.db.unit_of_work import transact
from app.ids import GlobalId, uuid7
from tests.support.accounts import Person
from tests.support.organizations import AccountsApi, Organization

_MEMBERS = """query ($id: ID!, $first: Int, $after: String) {
  workspace(id: $id) {
    members(first: $first, after: $after) {
      totalCount
      edges { cursor node { id } }
      nodes { id role joinedAt user { id handle displayName company jobTitle bio avatar { url initials } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""
_NODE = "query ($id: ID!) { node(id: $id) { __typename ... on Membership { role user { handle } } } }"
_ROLES = ("OWNER", "ADMIN", "MEMBER")
_MANAGES = {"OWNER": set(_ROLES), "ADMIN": {"ADMIN", "MEMBER"}, "MEMBER": set[str]()}


@contextmanager
def _statements(database: Database) -> Generator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def _members(
    accounts: AccountsApi, who: Person | str, organization: Organization, **page: object
) -> dict[str, Any]:
    return (await accounts.ask(who, _MEMBERS, id=organization.id, **page))["workspace"]["members"]


async def _change(
    accounts: AccountsApi, who: Person, organization: Organization, whom: Person, role: str
) -> dict[str, Any]:
    given = {"membershipId": organization.membership(whom), "role": role}
    return await accounts.attempt(who, "changeMemberRole", **given)


async def test_members_are_listed_who_joined_last_first(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    people = [
        organization.owner,
        *[await accounts.seat(organization, await accounts.person(), "ADMIN") for _ in range(4)],
    ]
    whole = await _members(accounts, people[-1], organization)
    assert [each["user"]["handle"] for each in whole["nodes"]] == [each.user.handle for each in reversed(people)]
    assert [each["role"] for each in whole["nodes"]] == ["ADMIN"] * 4 + ["OWNER"]
    assert (whole["totalCount"], whole["pageInfo"]["hasNextPage"]) == (5, False)
    first = await _members(accounts, organization.owner, organization, first=2)
    second = await _members(accounts, organization.owner, organization, first=3, after=first["pageInfo"]["endCursor"])
    assert first["nodes"] + second["nodes"] == whole["nodes"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (True, True)
    assert first["totalCount"] == 5


async def test_members_who_joined_at_the_same_moment_are_all_on_some_page(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    people = [await accounts.person() for _ in range(6)]

    async def join(session: Session) -> None:
        for person in people:
            row = MembershipRow(
                workspace_id=organization.row_id, user_id=person.user.id, role="MEMBER", joined_at=session.now
            )
            session.add(row)

    await transact(accounts.database, join)
    seen: list[str] = []
    after = None
    for _ in range(7):
        page = await _members(accounts, organization.owner, organization, first=1, after=after)
        seen += [each["user"]["handle"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert sorted(seen) == sorted(each.user.handle for each in [organization.owner, *people])


async def test_a_page_has_50_members_unless_said_otherwise_and_100_at_most(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    for _ in range(51):
        await accounts.seat(organization, await accounts.person())
    query = "query ($id: ID!) { workspace(id: $id) { members { nodes { id } } } }"
    found = await accounts.ask(organization.owner, query, id=organization.id)
    assert len(found["workspace"]["members"]["nodes"]) == 50
    assert len((await _members(accounts, organization.owner, organization, first=None))["nodes"]) == 50
    assert len((await _members(accounts, organization.owner, organization, first=100))["nodes"]) == 52
    variables = {"id": organization.id, "first": 101}
    assert await accounts.refused(organization.owner, _MEMBERS, **variables) == "BAD_USER_INPUT"


@pytest.mark.parametrize("cursor", ["", "x", "MjAyMA", "fHw", "\N{SNOWMAN}"])
async def test_a_cursor_that_was_never_given_is_refused(accounts: AccountsApi, cursor: str) -> None:
    organization = await accounts.organization()
    variables = {"id": organization.id, "after": cursor}
    assert await accounts.refused(organization.owner, _MEMBERS, **variables) == "BAD_USER_INPUT"


async def test_a_page_of_members_costs_the_same_statements_however_many_there_are(accounts: AccountsApi) -> None:
    small, large = await accounts.organization(), await accounts.organization()
    for _ in range(49):
        await accounts.seat(large, await accounts.person())
    counts: list[int] = []
    for organization, members in ((small, 1), (large, 50)):
        with _statements(accounts.database) as sent:
            assert len((await _members(accounts, organization.owner, organization))["nodes"]) == members
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert counts[1] < 10


async def test_who_sees_the_members(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    member = await accounts.seat(organization, await accounts.person())
    operator = await accounts.key(ApiScope.OPERATOR)
    variables, membership = {"id": organization.id}, organization.membership(member)
    for who in (organization.owner, member, operator):
        assert (await _members(accounts, who, organization))["totalCount"] == 2
        node = (await accounts.ask(who, _NODE, id=membership))["node"]
        assert node == {"__typename": "Membership", "role": "MEMBER", "user": {"handle": member.user.handle}}
    keys = [await accounts.key(scope) for scope in ApiScope if scope is not ApiScope.OPERATOR]
    for key in [*keys, await _own_key(accounts, organization)]:
        assert await accounts.refused(key, _MEMBERS, **variables) == "FORBIDDEN"
        assert (await accounts.ask(key, _NODE, id=membership))["node"] is None
    stranger = await accounts.person()
    assert (await accounts.ask(stranger, _MEMBERS, **variables))["workspace"] is None
    assert (await accounts.ask(stranger, _NODE, id=membership))["node"] is None


async def _own_key(accounts: AccountsApi, organization: Organization) -> str:
    """A key of the organization's own, with every scope there is."""
    secret = new_token(KEY_PREFIXES[0])

    async def create(session: Session) -> None:
        row = ApiKeyRow(
            id=uuid7(),
            workspace_id=organization.row_id,
            name="its own",
            prefix=secret[:10],
            secret_hash=token_hash(secret),
            scopes=[scope.value for scope in ApiScope],
            created_at=session.real_now,
        )
        session.add(row)

    await transact(accounts.database, create)
    return secret


async def test_a_membership_of_nobody_is_null(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    membership = organization.membership(await accounts.person())
    assert (await accounts.ask(organization.owner, _NODE, id=membership))["node"] is None
    for name, given in (
        ("changeMemberRole", {"membershipId": membership, "role": "ADMIN"}),
        ("removeMember", {"id": membership}),
    ):
        assert await accounts.forbidden(organization.owner, name, **given) == "NOT_FOUND"


def test_managers_reach_up_to_their_own_role() -> None:
    found = {own: {other.value for other in WorkspaceRole if manages(own, other)} for own in WorkspaceRole}
    assert found == _MANAGES
    assert not any(manages(None, other) for other in WorkspaceRole)


@pytest.mark.parametrize("own", _ROLES)
async def test_who_gives_which_role_to_whom(accounts: AccountsApi, own: str) -> None:
    organization = await accounts.organization()
    actor = await accounts.seat(organization, await accounts.person(), own)
    for before, after in product(_ROLES, _ROLES):
        whom = await accounts.seat(organization, await accounts.person(), before)
        state = await accounts.state(organization)
        if {before, after} <= _MANAGES[own]:
            assert (await _change(accounts, actor, organization, whom, after))["userErrors"] == []
            assert (await accounts.roles(organization))[whom.user.id] == after
        else:
            given = {"membershipId": organization.membership(whom), "role": after}
            assert await accounts.forbidden(actor, "changeMemberRole", **given) == "FORBIDDEN"
            assert await accounts.state(organization) == state


@pytest.mark.parametrize("own", _ROLES)
async def test_who_removes_whom(accounts: AccountsApi, own: str) -> None:
    organization = await accounts.organization()
    actor = await accounts.seat(organization, await accounts.person(), own)
    for role in _ROLES:
        whom = await accounts.seat(organization, await accounts.person(), role)
        state = await accounts.state(organization)
        given = {"id": organization.membership(whom)}
        if role in _MANAGES[own]:
            assert (await accounts.do(actor, "removeMember", **given))["workspace"]["viewerRole"] == own
            assert whom.user.id not in await accounts.roles(organization)
        else:
            assert await accounts.forbidden(actor, "removeMember", **given) == "FORBIDDEN"
            assert await accounts.state(organization) == state


async def test_neither_strangers_nor_keys_nor_nobody_change_or_remove(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    member = await accounts.seat(organization, await accounts.person())
    membership, before = organization.membership(member), await accounts.state(organization)
    operator, own_key = await accounts.key(*ApiScope), await _own_key(accounts, organization)
    refusals = ((await accounts.person(), "NOT_FOUND"), (operator, "FORBIDDEN"), (own_key, "FORBIDDEN"))
    for who, code in (*refusals, (None, "UNAUTHENTICATED")):
        assert await accounts.forbidden(who, "changeMemberRole", membershipId=membership, role="ADMIN") == code
        assert await accounts.forbidden(who, "removeMember", id=membership) == code
    assert await accounts.state(organization) == before


@pytest.mark.parametrize("role", ["ADMIN", "MEMBER"])
async def test_everyone_may_leave(accounts: AccountsApi, role: str) -> None:
    organization = await accounts.organization()
    member = await accounts.seat(organization, await accounts.person(), role)
    left = await accounts.do(member, "removeMember", id=organization.membership(member))
    assert left["workspace"] is None
    assert member.user.id not in await accounts.roles(organization)
    assert (await accounts.ask(member, _MEMBERS, id=organization.id))["workspace"] is None


async def test_a_personal_workspace_is_neither_left_nor_without_its_owner(accounts: AccountsApi) -> None:
    person = await accounts.person()
    personal = Organization(str(GlobalId("Workspace", person.user.personal_workspace_id)), person)
    before = await accounts.state(personal)
    membership = personal.membership(person)
    assert await accounts.fails(person, "removeMember", id=membership) == "INVALID_INPUT"
    assert await accounts.fails(person, "changeMemberRole", membershipId=membership, role="ADMIN") == "LAST_OWNER"
    assert await accounts.state(personal) == before


async def test_an_owner_always_remains(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    await accounts.seat(organization, await accounts.person(), "ADMIN")
    owner, before = organization.owner, await accounts.state(organization)
    membership = organization.membership(owner)
    assert await accounts.fails(owner, "removeMember", id=membership) == "LAST_OWNER"
    for role in ("ADMIN", "MEMBER"):
        assert await accounts.fails(owner, "changeMemberRole", membershipId=membership, role=role) == "LAST_OWNER"
    assert await accounts.state(organization) == before


async def test_ownership_is_handed_over_by_raising_another_and_leaving(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    heir = await accounts.member(organization)
    raised = await _change(accounts, organization.owner, organization, heir, "OWNER")
    assert raised["userErrors"] == []
    left = await accounts.do(organization.owner, "removeMember", id=organization.membership(organization.owner))
    assert left["workspace"] is None
    assert await accounts.roles(organization) == {heir.user.id: "OWNER"}
    renamed = await accounts.do(heir, "updateWorkspace", workspaceId=organization.id, name="Mine now")
    assert renamed["workspace"]["viewerRole"] == "OWNER"


async def test_who_gives_their_own_role_away_sees_the_workspace_as_they_may_now(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    await accounts.seat(organization, await accounts.person(), "OWNER")
    stepped_down = await _change(accounts, organization.owner, organization, organization.owner, "MEMBER")
    assert stepped_down["workspace"]["viewerRole"] == "MEMBER"
    assert stepped_down["workspace"]["permissions"] == []


async def test_giving_the_role_that_someone_has_changes_nothing(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    member = await accounts.seat(organization, await accounts.person())
    before = await accounts.state(organization)
    assert (await _change(accounts, organization.owner, organization, member, "MEMBER"))["userErrors"] == []
    assert await accounts.state(organization) == before


@pytest.mark.parametrize("act", ["leave", "step down", "remove each other", "demote each other"])
async def test_of_two_last_owners_who_go_at_once_one_stays(accounts: AccountsApi, act: str) -> None:
    for _ in range(3):
        organization = await accounts.organization()
        owners = [organization.owner, await accounts.seat(organization, await accounts.person(), "OWNER")]
        whom = owners if act in ("leave", "step down") else owners[::-1]
        memberships = [organization.membership(each) for each in whom]
        name, inputs = (
            ("removeMember", [{"id": each} for each in memberships])
            if act in ("leave", "remove each other")
            else ("changeMemberRole", [{"membershipId": each, "role": "MEMBER"} for each in memberships])
        )
        # whoever is removed or demoted first is refused as a stranger or a member; whoever goes last, as the last owner
        await asyncio.gather(
            *(accounts.attempt(owner, name, **given) for owner, given in zip(owners, inputs, strict=True)),
            return_exceptions=True,
        )
        assert list((await accounts.roles(organization)).values()).count("OWNER") == 1


async def test_changes_of_members_are_in_the_log_with_whom_they_concern(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    removed, leaver = [await accounts.seat(organization, await accounts.person()) for _ in range(2)]
    await _change(accounts, organization.owner, organization, removed, "ADMIN")
    await accounts.do(organization.owner, "removeMember", id=organization.membership(removed))
    await accounts.do(leaver, "removeMember", id=organization.membership(leaver))
    log = [
        (each.action, each.actor_user_id, each.subject_user_id, each.detail)
        for each in (await accounts.log(organization.row_id))[1:]
    ]
    owner = organization.owner.user.id
    assert log == [
        ("member.role_changed", owner, removed.user.id, {"before": {"role": "MEMBER"}, "after": {"role": "ADMIN"}}),
        ("member.removed", owner, removed.user.id, {"before": {"role": "ADMIN"}, "after": {"role": None}}),
        ("member.left", leaver.user.id, None, {"before": {"role": "MEMBER"}, "after": {"role": None}}),
    ]


async def test_a_profile_is_seen_by_fellow_members_and_a_public_one_by_everyone(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    node = "query ($id: ID!) { node(id: $id) { ... on Profile { handle } } }"
    person = await accounts.person()
    profile = str(GlobalId("Profile", person.user.id))
    shown, operator = {"handle": person.user.handle}, await accounts.key(ApiScope.OPERATOR)
    other_key = await accounts.key(ApiScope.BILLING_READ)

    async def seen(*who: Any) -> list[object]:
        return [(await accounts.ask(each, node, id=profile))["node"] for each in who]

    assert await seen(person, operator) == [shown, shown]
    assert await seen(organization.owner, other_key, None) == [None, None, None]
    await accounts.seat(organization, person)
    assert await seen(organization.owner) == [shown]
    await accounts.do(organization.owner, "removeMember", id=organization.membership(person))
    assert await seen(organization.owner) == [None]

    async def publish(session: Session) -> None:
        await session.execute(
            update(UserRow).where(UserRow.id == person.user.id).values(visibility=Visibility.PUBLIC.value)
        )

    await transact(accounts.database, publish)
    assert await seen(organization.owner, other_key, None) == [shown, shown, shown]
