"""Live updates over real sockets: crowds, slow readers, sessions that end, and servers that go."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.live.screens import Screen, grant, screens, sessions_of, spend
from tests.support import operations
from tests.support.client import Api, Socket
from tests.support.running_backend import RunningBackend
from tests.support.server import ServerProcess, run_command, server_process

_CHANGES = 200
_SLOW_READERS_BUFFER_BYTES = 32 * 1024
# A state of some 100 kB, so that the system's buffers between the server and a slow reader hold few of them.
_MANY_GRANTS = " ".join(f"grants{number}: grants {{ id source amount remaining expiresAt }}" for number in range(15))
_WIDE_BALANCE = f"subscription ($id: ID!) {{ creditBalanceChanged(workspaceId: $id) {{ version {_MANY_GRANTS} }} }}"

_SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { token user { personalWorkspace { id } } } }"
_DEMO = {"emailAddress": "demo@example.com", "password": "counterfoil-demo", "issueToken": True}


async def test_a_thousand_sockets_at_once_all_get_their_state_and_the_next_change(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    first = await grant(own_backend, person, 1_000)
    tokens = await sessions_of(own_backend.database, person, 1_000)

    async with screens(own_backend.api, person, tokens) as watching:
        last = await spend(own_backend.database, person)
        for screen in watching:
            await screen.reach(last)

    assert {tuple(screen.versions) for screen in watching} == {(first, last)}


async def test_a_client_that_reads_slowly_sees_only_newest_states(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await grant(backend, person, 1_000, count=40)
    variables = {"id": person.workspace}
    slow_connection = _socket_with_a_small_buffer(backend.api.url)
    async with (
        backend.api.socket(person.token) as quick_socket,
        connect(
            backend.api.url.replace("http", "ws", 1) + "/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            compression=None,
            max_size=None,
            max_queue=1,
            sock=slow_connection,
        ) as slow,
    ):
        reading = Socket(slow)
        await reading.send(type="connection_init", payload={"authorization": f"Bearer {person.token}"})
        assert (await reading.receive())["type"] == "connection_ack"
        slow_screen = Screen(reading, await reading.subscribe(_WIDE_BALANCE, variables))
        quick = Screen(quick_socket, await quick_socket.subscribe(operations.WATCH_BALANCE, variables))

        last = 0
        for number in range(_CHANGES):
            last = await spend(backend.database, person)
            await quick.reach(last)
            if number % 20 == 0:  # as if a second had passed
                slow_screen.states.append(await reading.state())
        await slow_screen.reach(last)

    assert len(quick.versions) == 1 + _CHANGES
    assert len(slow_screen.versions) < _CHANGES / 2
    assert slow_screen.versions[-1] == last
    slow_screen.assert_versions_rise()


async def test_a_session_that_ends_takes_its_own_streams_along_and_no_others(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await grant(backend, person, 1_000)
    [leaving, staying] = await sessions_of(backend.database, person, 2)
    async with screens(backend.api, person, [staying]) as [screen], backend.api.socket(leaving) as ending:
        await ending.subscribe(operations.WATCH_BALANCE, {"id": person.workspace})
        await backend.api.query("mutation { signOut { isSignedOut } }", token=leaving)

        backend.parts.runtime.hub.recheck()

        message = await ending.receive()
        last = await spend(backend.database, person)
        await screen.reach(last)

    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")
    screen.assert_versions_rise()


async def test_who_comes_back_after_a_restart_gets_the_newest_state() -> None:
    with server_process() as server:
        await asyncio.to_thread(server.start)
        async with httpx.AsyncClient(timeout=60) as http:
            api = Api(server.url, http)
            signed_in = (await api.query(_SIGN_IN, {"input": _DEMO}))["signIn"]
            token, workspace = signed_in["token"], signed_in["user"]["personalWorkspace"]["id"]
            variables = {"id": workspace}
            stream = asyncio.create_task(_events_until_the_end(api, token, variables))
            async with api.socket(token) as watching:
                await watching.subscribe(operations.WATCH_BALANCE, variables)
                await _give(server, api, workspace)
                newest = await watching.until(lambda state: state["available"] == "42")

                assert await asyncio.to_thread(server.terminate) == 0

                with suppress(ConnectionClosed):
                    while True:
                        await watching.connection.recv()
                assert watching.connection.close_code == 1012
            events = await stream
            assert events[-1] == newest

            await asyncio.to_thread(server.start)
            async with api.socket(token) as again:
                assert await again.subscribe(operations.WATCH_BALANCE, variables) == newest


def _socket_with_a_small_buffer(url: str) -> socket.socket:
    parts = urlsplit(url)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_READERS_BUFFER_BYTES)
    made.connect((parts.hostname, parts.port))
    return made


async def _events_until_the_end(api: Api, token: str, variables: dict[str, str]) -> list[dict[str, Any]]:
    """The balances of an event stream that ends without `complete`, which a client takes as a reason to come back."""
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    body = {"query": operations.WATCH_BALANCE, "variables": variables}
    states: list[dict[str, Any]] = []
    async with api.http.stream("POST", f"{api.url}/graphql", json=body, headers=headers) as response:
        async for line in response.aiter_lines():
            assert line != "event: complete"
            if line.startswith("data:"):
                states.append(orjson.loads(line.removeprefix("data:"))["data"]["creditBalanceChanged"])
    return states


async def _give(server: ServerProcess, api: Api, workspace: str) -> None:
    """Give 42 credits with a key that the command line creates beside the running server."""
    command = ("keys", "create", "--service", "--name", "a test", "--scope", "OPERATOR")
    created = await asyncio.to_thread(run_command, *command, environment=server.environment)
    gift = {"workspaceId": workspace, "amount": "42", "source": "PROMOTION", "description": "A gift"}
    given = {"input": {**gift, "idempotencyKey": "gift"}}
    granted = await api.query(operations.GRANT, given, token=created.stdout.split()[-1])
    assert granted["grantCredits"]["userErrors"] == []
