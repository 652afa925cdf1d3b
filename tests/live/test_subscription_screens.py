"""Screens that show a subscription: members see the plan and the seats move, and only those who may see the money."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import pytest

from app.accounts.access.audit_log import OPERATOR
from app.accounts.access.permissions import WorkspaceRole
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.plan_choice import PlanChoice
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.ids import GlobalId, parse_global_id, uuid7
from app.store import subscriptions as subscription_store
from resolvers.live_topics import State
from tests.support import operations
from tests.support.client import Socket
from tests.support.link_pages import mailed_link
from tests.support.members import let_in
from tests.support.organizations import mutation
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscriptions import choice_of, end_subscription, subscribe

_PRICE: Final = {"amount": "95.00"}


@dataclass(frozen=True, slots=True)
class _Organization:
    """An organization on Team with five seats."""

    backend: RunningBackend
    id: str
    row_id: UUID
    owner: Person

    def team(self, seats: int) -> PlanChoice:
        return choice_of(self.backend.parts.runtime.catalog, "team", seats)

    async def subscribe(self, seats: int) -> None:
        await subscribe(self.backend.database, self.row_id, self.team(seats))

    async def let_in(self, role: WorkspaceRole) -> Person:
        person = await self.backend.sign_up()
        await let_in(self.backend.database, self.row_id, person.user_id, role)
        return person

    async def do(self, name: str, **given: str) -> None:
        done = await self.backend.api.query(mutation(name), {"input": given}, token=self.owner.token)
        assert done[name]["userErrors"] == []

    def membership(self, person: Person) -> str:
        return str(GlobalId("Membership", person.user_id, self.row_id))


async def _organization(backend: RunningBackend) -> _Organization:
    owner = await backend.sign_up()
    made = await backend.api.query(mutation("createOrganization"), {"input": {"name": "Acme"}}, token=owner.token)
    workspace = made["createOrganization"]["workspace"]["id"]
    row_id = parse_global_id(workspace).id
    assert isinstance(row_id, UUID)
    organization = _Organization(backend, workspace, row_id, owner)
    await organization.subscribe(5)
    return organization


async def _watch(stack: AsyncExitStack, organization: _Organization, person: Person) -> tuple[Socket, dict[str, Any]]:
    socket = await stack.enter_async_context(organization.backend.api.socket(person.token))
    return socket, await socket.subscribe(operations.WATCH_SUBSCRIPTION, {"id": organization.id})


def _has(seats: int) -> Callable[[dict[str, Any]], bool]:
    return lambda state: state["seats"]["total"] == seats


@pytest.mark.parametrize("member_first", [True, False], ids=["a member first", "the owner first"])
async def test_who_does_not_see_billing_is_never_sent_what_owners_are(
    backend: RunningBackend, member_first: bool
) -> None:
    organization = await _organization(backend)
    member = await organization.let_in(WorkspaceRole.MEMBER)
    async with AsyncExitStack() as stack:
        order = [member, organization.owner] if member_first else [organization.owner, member]
        watched = [await _watch(stack, organization, person) for person in order]
        sockets = {person.user_id: socket for person, (socket, _) in zip(order, watched, strict=True)}
        first = {person.user_id: state for person, (_, state) in zip(order, watched, strict=True)}
        assert (first[organization.owner.user_id]["recurringPrice"], first[member.user_id]["recurringPrice"]) == (
            _PRICE,
            None,
        )
        for seats in (6, 7, 8):
            await organization.subscribe(seats)
            own = await sockets[organization.owner.user_id].until(_has(seats))
            others = await sockets[member.user_id].until(_has(seats))
            assert own["recurringPrice"] == {"amount": f"{19 * seats}.00"}
            assert others == {**own, "recurringPrice": None}


async def test_every_change_comes_with_a_higher_version_and_so_do_members_who_come_and_go(
    backend: RunningBackend,
) -> None:
    organization = await _organization(backend)
    async with AsyncExitStack() as stack:
        socket, first = await _watch(stack, organization, organization.owner)
        states = [first]

        async def until(is_so: Callable[[dict[str, Any]], bool]) -> None:
            while not is_so(states[-1]):
                states.append(await socket.state())

        await organization.subscribe(6)
        await until(_has(6))
        member = await organization.let_in(WorkspaceRole.MEMBER)

        async def seen(session: Session) -> None:
            await subscription_store.shown_changed(session, [organization.row_id])

        await transact(backend.database, seen)
        await until(lambda state: state["seats"]["used"] == 2)
        await organization.do("removeMember", id=organization.membership(member))
        await until(lambda state: state["seats"]["used"] == 1)
        await end_subscription(backend.database, organization.row_id)
        await until(lambda state: state["plan"]["code"] == "free")
    versions = [int(state["version"]) for state in states]
    assert all(before < after for before, after in pairwise(versions)), versions


async def test_who_joins_by_invitation_is_seen_on_open_screens(backend: RunningBackend) -> None:
    organization = await _organization(backend)
    person = await backend.sign_up()
    async with AsyncExitStack() as stack:
        socket, _ = await _watch(stack, organization, organization.owner)
        await organization.do("inviteMember", workspaceId=organization.id, emailAddress=person.address)
        link = await mailed_link(backend, person.address, "accept-invitation")
        token = unquote(link.partition("?token=")[2])
        given = {"input": {"token": token, "idempotencyKey": "a key"}}
        joined = await backend.api.query(mutation("acceptInvitation"), given, token=person.token)
        assert joined["acceptInvitation"]["userErrors"] == []
        state = await socket.until(lambda state: state["seats"]["used"] == 2)
    assert state["seats"]["available"] == 3


async def test_who_owns_it_no_longer_is_sent_no_money_from_then_on(backend: RunningBackend) -> None:
    organization = await _organization(backend)
    second = await organization.let_in(WorkspaceRole.OWNER)
    async with AsyncExitStack() as stack:
        socket, first = await _watch(stack, organization, second)
        assert first["recurringPrice"] == _PRICE
        await organization.do("changeMemberRole", membershipId=organization.membership(second), role="MEMBER")
        await organization.subscribe(6)
        assert (await socket.until(_has(6)))["recurringPrice"] is None


@pytest.mark.parametrize("changes", [True, False], ids=["with the next change", "though nothing changes"])
async def test_who_is_removed_watches_it_no_longer(backend: RunningBackend, changes: bool) -> None:
    organization = await _organization(backend)
    member = await organization.let_in(WorkspaceRole.MEMBER)
    async with AsyncExitStack() as stack:
        socket, _ = await _watch(stack, organization, member)
        await organization.do("removeMember", id=organization.membership(member))
        if changes:
            await organization.subscribe(6)
        else:
            backend.parts.runtime.hub.recheck()
        message = await socket.receive()
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "NOT_FOUND")


@pytest.mark.parametrize("exists", [True, False], ids=["of others", "that never was"])
async def test_outsiders_do_not_watch_it(backend: RunningBackend, exists: bool) -> None:
    organization, stranger = await _organization(backend), await backend.sign_up()
    workspace = organization.id if exists else str(GlobalId("Workspace", uuid7()))
    async with backend.api.socket(stranger.token) as socket:
        payload = {"query": operations.WATCH_SUBSCRIPTION, "variables": {"id": workspace}}
        await socket.send(id="1", type="subscribe", payload=payload)
        answer = await socket.receive()
    assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "NOT_FOUND")


def test_what_is_shown_of_a_state_is_made_once_for_each_kind_of_watcher() -> None:
    state: State[int] = State(UUID(int=1), 1, 7)
    made = [state.shown(lambda value: [value, "all"], to=True) for _ in range(2)]
    other = state.shown(lambda value: [value, "less"], to=False)
    assert made[0] is made[1]
    assert (made[0], other) == ([7, "all"], [7, "less"])


@pytest.mark.catalogs("messaging")
async def test_open_screens_see_the_trial_go_to_an_organization_and_a_given_plan_come_and_end(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up(with_trial=True)
    given = choice_of(backend.parts.runtime.catalog, "enterprise", 40, None)
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(backend.api.socket(person.token))
        first = await socket.subscribe(operations.WATCH_SUBSCRIPTION, {"id": person.workspace})
        assert (first["plan"]["code"], first["status"]) == ("business", "TRIALING")
        made = await backend.api.query(mutation("createOrganization"), {"input": {"name": "Acme"}}, token=person.token)
        assert made["createOrganization"]["userErrors"] == []
        left = await socket.until(_has(1))
        assert (left["plan"]["code"], left["status"]) == ("inactive", "CANCELED")
        await transact(
            backend.database,
            lambda session: given_plans.give(
                session, backend.parts.runtime.catalog, person.workspace_id, given, actor=OPERATOR
            ),
        )
        assert (await socket.until(_has(40)))["status"] == "ACTIVE"
        await transact(
            backend.database,
            lambda session: given_plans.end(
                session, backend.parts.runtime.catalog, person.workspace_id, actor=OPERATOR
            ),
        )
        ended = await socket.until(_has(1))
    assert int(first["version"]) < int(left["version"]) < int(ended["version"])
