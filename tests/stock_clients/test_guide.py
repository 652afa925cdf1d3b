"""The programs of the API guide as they stand there, but for the address: each prints the balance and what becomes of it."""

from __future__ import annotations

import sys
from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.stock_clients.node_programs import guide_example, next_line, node, running
from tests.support.running_backend import Person, RunningBackend

_ADDRESS = "127.0.0.1:8000"


def _environment(person: Person) -> dict[str, str]:
    return {"TOKEN": person.token, "WORKSPACE": person.workspace, "PYTHONUNBUFFERED": "1"}


async def _prints_each_balance(
    process: AbstractAsyncContextManager[Process], backend: RunningBackend, person: Person
) -> None:
    async with process as started:
        first = await next_line(started)
        assert "available" in first, first
        await backend.grant(person, "4711")
        while "4711" not in (line := await next_line(started)):
            assert "available" in line, line


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse"])
async def test_the_example_in_javascript_shows_the_balance_live(
    backend: RunningBackend, client: str, tmp_path: Path
) -> None:
    person = await backend.sign_up()
    program = guide_example("createClient", f'"{client}"').replace(_ADDRESS, backend.api.url.removeprefix("http://"))

    await _prints_each_balance(node(tmp_path, program, **_environment(person)), backend, person)


async def test_the_example_in_python_shows_the_balance_live(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    program = guide_example("websockets.connect").replace(_ADDRESS, backend.api.url.removeprefix("http://"))

    process = running(sys.executable, "-c", program, **_environment(person))
    await _prints_each_balance(process, backend, person)
