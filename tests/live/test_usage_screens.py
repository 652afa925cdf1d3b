"""Screens that show usage: the bars move as events come, and a new period begins though nobody sends anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.accounts.access.permissions import WorkspaceRole
from app.ids import GlobalId, uuid7
from tests.support import operations
from tests.support.client import Socket
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend
from tests.support.usage import use


async def _watch(
    stack: AsyncExitStack, backend: RunningBackend, workspace: str, person: Person
) -> tuple[Socket, dict[str, Any]]:
    socket = await stack.enter_async_context(backend.api.socket(person.token))
    return socket, await socket.subscribe(operations.WATCH_USAGE, {"id": workspace})


def _bar(state: dict[str, Any], resource: str = "enrichments") -> dict[str, Any]:
    [bar] = [each for each in state["bars"] if each["resource"]["code"] == resource]
    return bar


def _used(quantity: str) -> Callable[[dict[str, Any]], bool]:
    return lambda state: _bar(state)["used"] == quantity


async def test_a_bar_moves_as_events_come_with_a_higher_version_each_time(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    async with AsyncExitStack() as stack:
        socket, first = await _watch(stack, backend, person.workspace, person)
        versions = [int(first["version"])]
        assert (_bar(first)["used"], _bar(first)["subjects"]) == ("0", [])
        for total in ("60", "120"):
            await use(backend, person.workspace, 60, subject="ada")
            state = await socket.until(_used(total))
            versions.append(int(state["version"]))
            assert _bar(state)["series"][-1]["used"] == total
            assert _bar(state)["subjects"][0]["subject"] == "ada"
    assert versions == sorted(set(versions))


async def test_what_credits_paid_is_on_the_screen_too(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5000")
    async with AsyncExitStack() as stack:
        socket, _ = await _watch(stack, backend, person.workspace, person)
        await use(backend, person.workspace, 107)
        state = await socket.until(lambda state: _bar(state)["creditsSpent"] == "3500")
    assert _bar(state)["level"] == "EXCEEDED"


async def test_a_new_period_is_pushed_though_nobody_sends_anything(backend: RunningBackend) -> None:
    person, silent = await backend.sign_up(), await backend.sign_up()
    await use(backend, person.workspace, 60)
    async with AsyncExitStack() as stack:
        socket, first = await _watch(stack, backend, person.workspace, person)
        never, before = await _watch(stack, backend, silent.workspace, silent)
        await backend.advance("P32D")
        state = await socket.until(_used("0"))
        # of a workspace that never used anything the regular look finds out
        backend.parts.runtime.hub.recheck()
        later = await never.until(lambda state: state["period"] != before["period"])

    assert state["period"]["start"] == first["period"]["end"]
    assert int(state["version"]) > int(first["version"])
    assert later["period"]["start"] == before["period"]["end"]


@pytest.mark.parametrize("member_first", [True, False], ids=["a member first", "the owner first"])
async def test_members_are_sent_the_bars_without_money_and_names(backend: RunningBackend, member_first: bool) -> None:
    owner, member = await backend.sign_up(), await backend.sign_up()
    await let_in(backend.database, owner.workspace_id, member.user_id, WorkspaceRole.MEMBER)
    async with AsyncExitStack() as stack:
        order = [member, owner] if member_first else [owner, member]
        sockets = {person.user_id: (await _watch(stack, backend, owner.workspace, person))[0] for person in order}
        for total in ("20", "40"):
            await use(backend, owner.workspace, 20, subject="ada")
            own = await sockets[owner.user_id].until(_used(total))
            seen = await sockets[member.user_id].until(_used(total))
            assert (_bar(own)["creditsSpent"], _bar(own)["subjects"][0]["subject"]) == ("0", "ada")
            hidden: list[dict[str, Any]] = [{**bar, "creditsSpent": None, "subjects": []} for bar in own["bars"]]
            assert seen == {**own, "bars": hidden}


@pytest.mark.parametrize("exists", [True, False], ids=["of others", "that never was"])
async def test_outsiders_do_not_watch_it(backend: RunningBackend, exists: bool) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()
    workspace = owner.workspace if exists else str(GlobalId("Workspace", uuid7()))
    async with backend.api.socket(stranger.token) as socket:
        await socket.send(
            id="1", type="subscribe", payload={"query": operations.WATCH_USAGE, "variables": {"id": workspace}}
        )
        answer = await socket.receive()
    assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "NOT_FOUND")
