"""Live updates through the whole product: state first, then each newer state, to those who may see it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, Spend
from app.ledger.post_movements import post_one
from app.main import open_backend
from tests.support import operations
from tests.support.accounts import SECRET_KEY
from tests.support.client import Socket
from tests.support.running_backend import Person, RunningBackend

BOTH = pytest.mark.catalogs("analytics", "compute")


async def _watching(stack: AsyncExitStack, backend: RunningBackend, person: Person) -> tuple[Socket, dict[str, str]]:
    socket = await stack.enter_async_context(backend.api.socket(person.token))
    return socket, await socket.subscribe(operations.WATCH_BALANCE, {"id": person.workspace})


@BOTH
async def test_every_open_screen_sees_the_balance_first_as_it_stands_and_then_after_a_recharge(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    async with AsyncExitStack() as stack:
        screens = [await _watching(stack, backend, person) for _ in range(2)]
        before = await backend.balance(person)
        variables = {"id": person.workspace}
        events = await stack.enter_async_context(
            backend.api.events(operations.WATCH_BALANCE, variables, token=person.token)
        )
        first_event = (await anext(events))["data"]["creditBalanceChanged"]

        bought = (await backend.recharge(person))["creditBalance"]

        pushed = [await socket.until(lambda state: state["version"] == bought["version"]) for socket, _ in screens]
        event = (await anext(events))["data"]["creditBalanceChanged"]

    known = {name: before[name] for name in ("available", "held", "version")}
    assert [state for _, state in screens] == [known, known]
    assert first_event == known
    assert [state["available"] for state in [*pushed, event]] == [bought["available"]] * 3


async def test_versions_only_ever_rise_and_end_on_the_final_state(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    async with AsyncExitStack() as stack:
        socket, first = await _watching(stack, backend, person)

        await asyncio.gather(*(backend.deduct(person, "1") for _ in range(50)))

        states = [first]
        while states[-1]["available"] != "50":
            states.append(await socket.state())

    versions = [int(state["version"]) for state in states]
    assert versions == sorted(set(versions))
    assert states[-1]["version"] == (await backend.balance(person))["version"]


async def test_who_comes_back_gets_the_state_as_it_is_now(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    async with AsyncExitStack() as stack:
        await _watching(stack, backend, person)
    await backend.grant(person, "7")

    async with AsyncExitStack() as stack:
        _, state = await _watching(stack, backend, person)

    assert state["available"] == "7"


async def test_a_change_made_through_another_server_is_pushed_too(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    given = Grant(workspace_id=person.workspace_id, amount=7, source=Source.PROMOTION, description="A gift")
    spent = Spend(workspace_id=person.workspace_id, amount=2, description="A job")
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(
            open_backend(backend.parts.settings, backend.parts.database_url, SECRET_KEY)
        )
        socket, _ = await _watching(stack, backend, person)

        await transact(other.runtime.database, lambda session: post_one(session, given))
        await socket.until(lambda state: state["available"] == "7")
        await other.runtime.committer.submit(spent)
        last = await socket.until(lambda state: state["available"] == "5")

    assert last["version"] == (await backend.balance(person))["version"]


async def test_a_purchase_is_watched_from_the_click_to_its_end(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    bought = (await backend.recharge(person))["purchase"]

    async with backend.api.socket(person.token) as socket:
        state = await socket.subscribe(operations.WATCH_PURCHASE, {"id": bought["id"]})

    assert (state["status"], state["version"]) == ("SUCCEEDED", bought["version"])


async def test_the_balance_of_others_is_not_watched(backend: RunningBackend) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()

    async with backend.api.socket(stranger.token) as socket:
        payload = {"query": operations.WATCH_BALANCE, "variables": {"id": owner.workspace}}
        await socket.send(id="1", type="subscribe", payload=payload)
        answer = await socket.receive()

    assert answer["type"] == "error"
    assert [error["extensions"]["code"] for error in answer["payload"]] == ["NOT_FOUND"]


async def test_a_revoked_session_ends_its_streams_with_the_next_check_of_rights(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    async with AsyncExitStack() as stack:
        socket, _ = await _watching(stack, backend, person)
        signed_out = await backend.api.query("mutation { signOut { isSignedOut } }", token=person.token)
        assert signed_out["signOut"]["isSignedOut"]

        backend.parts.runtime.hub.recheck()

        message = await socket.receive()
        while message["type"] == "next" and "errors" not in message["payload"]:
            message = await socket.receive()
    assert "UNAUTHENTICATED" in str(message)
    assert await backend.api.refused(operations.BALANCE, {"id": person.workspace}, token=person.token) == (
        "UNAUTHENTICATED"
    )
