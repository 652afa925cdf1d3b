"""`counterfoil dev`: one command starts everything, and nothing of it is left when it ends."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed

from tests.support import operations
from tests.support.client import Api, eventually
from tests.support.server import ServerProcess, is_running, run_command, server_process

_SIGN_IN = """mutation ($input: SignInInput!) {
  signIn(input: $input) { token user { personalWorkspace { id } } userErrors { code } }
}"""
_DEMO = {"emailAddress": "demo@example.com", "password": "counterfoil-demo", "issueToken": True}


async def _signed_in(api: Api) -> tuple[str, str]:
    """The demo user's token and workspace."""
    payload = (await api.query(_SIGN_IN, {"input": _DEMO}))["signIn"]
    assert payload["userErrors"] == []
    return payload["token"], payload["user"]["personalWorkspace"]["id"]


async def _grant(server: ServerProcess, api: Api, workspace: str) -> None:
    """Give 42 credits with a key that the command line creates beside the running server."""
    command = ("keys", "create", "--service", "--name", "a test", "--scope", "OPERATOR")
    created = await asyncio.to_thread(run_command, *command, environment=server.environment)
    assert created.returncode == 0, created.stderr
    given = {"workspaceId": workspace, "amount": "42", "source": "PROMOTION", "description": "A gift"}
    key = created.stdout.split()[-1]
    granted = await api.query(operations.GRANT, {"input": {**given, "idempotencyKey": "gift"}}, token=key)
    assert granted["grantCredits"]["userErrors"] == []


async def _available(api: Api) -> str:
    token, workspace = await _signed_in(api)
    data = await api.query(operations.BALANCE, {"id": workspace}, token=token)
    return data["workspace"]["creditBalance"]["available"]


async def _now(http: httpx.AsyncClient, server: ServerProcess) -> str:
    return (await http.get(f"{server.url}/dev/clock")).json()["now"]


async def test_sigterm_ends_everything_and_the_next_start_finds_its_data_and_its_time_again(
    server: ServerProcess,
) -> None:
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(timeout=60) as http:
        api = Api(server.url, http)
        _, workspace = await _signed_in(api)
        await _grant(server, api, workspace)
        moved = await http.post(f"{server.url}/dev/clock", json={"advance": "P40D"})
        assert moved.status_code == 200, moved.text
        started = [server.pid, *server.children, server.postgres_pid]

        assert await asyncio.to_thread(server.terminate) == 0
        assert [pid for pid in started if is_running(pid)] == []

        await asyncio.to_thread(server.start)
        started = [server.pid, *server.children, server.postgres_pid]
        assert await _available(api) == "42"
        assert await _now(http, server) >= moved.json()["now"]
        assert await asyncio.to_thread(server.interrupt) == 0
        assert [pid for pid in started if is_running(pid)] == []


async def test_sigkill_leaves_nothing_running_but_postgresql_which_the_next_start_takes_over(
    server: ServerProcess,
) -> None:
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(timeout=60) as http:
        api = Api(server.url, http)
        _, workspace = await _signed_in(api)
        await _grant(server, api, workspace)
        postgres, sandboxes = server.postgres_pid, [pid for pid in server.children if pid != server.postgres_pid]

        await asyncio.to_thread(server.kill)

        async def sandbox_is_gone() -> bool:
            return not any(is_running(pid) for pid in sandboxes)

        assert sandboxes
        assert await eventually(sandbox_is_gone)
        assert is_running(postgres)
        await asyncio.to_thread(server.start)
        assert server.postgres_pid == postgres
        assert await _available(api) == "42"
        assert await asyncio.to_thread(server.terminate) == 0
        assert not is_running(postgres)


async def test_sigterm_lets_clients_know_that_they_may_come_back(server: ServerProcess) -> None:
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(timeout=60) as http:
        api = Api(server.url, http)
        token, workspace = await _signed_in(api)
        async with api.socket(token) as connection:
            await connection.subscribe(operations.WATCH_BALANCE, {"id": workspace})

            ending = asyncio.create_task(asyncio.to_thread(server.terminate))
            with suppress(ConnectionClosed):
                while True:
                    await connection.receive()

            assert connection.connection.close_code == 1012
        assert await ending == 0


async def test_it_says_where_graphiql_is_and_how_to_sign_in(server: ServerProcess) -> None:
    await asyncio.to_thread(server.start)

    for expected in (f"{server.url}/graphql", "demo@example.com", "counterfoil-demo", server.sandbox_url):
        assert expected in server.output
    async with httpx.AsyncClient(timeout=60) as http:
        answers: list[Any] = [await http.get(f"{server.url}{path}") for path in ("/healthz", "/readyz")]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_second_start_on_the_same_home_is_refused_in_a_sentence(server: ServerProcess) -> None:
    await asyncio.to_thread(server.start)

    with server_process(COUNTERFOIL_HOME=str(server.home)) as second:
        second.spawn()
        code = await asyncio.to_thread(second.wait)

    assert code == 2
    assert "Another Counterfoil runs" in second.output
    assert "COUNTERFOIL_HOME" in second.output
    assert "Traceback" not in second.output
    async with httpx.AsyncClient(timeout=60) as http:
        assert (await http.get(f"{server.url}/healthz")).status_code == 200


async def test_a_taken_port_is_told_by_name_and_nothing_is_left_running(server: ServerProcess) -> None:
    for port, name in ((server.port, "PORT"), (server.sandbox_port, "SANDBOX_PORT")):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            server.spawn()
            code = await asyncio.to_thread(server.wait)

        assert code != 0
        assert name in server.output
        assert str(port) in server.output
        assert "Traceback" not in server.output
        assert not (server.home / "postgres" / "postmaster.pid").exists()
