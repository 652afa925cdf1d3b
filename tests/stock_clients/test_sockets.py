"""graphql-ws with the settings of the API guide: after which close codes it comes back, and after which it gives up."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from app.asgi.graphql import GraphQLSettings
from app.asgi.graphql.websocket import CloseCode
from tests.asgi.conftest import served
from tests.stock_clients.node_programs import guide_example, next_line, node, printed
from tests.tidy.sources import ROOT

_ROW = re.compile(r"^\| (\d{4}) \| .* \| ([^|]+) \|$", re.MULTILINE)
# what the protocol and browsers have beside our own
_LOST = 1006
_NEVER_SENT = (1011, 4500)

_CLIENT = guide_example("createClient", "graphql-ws").partition("const query =")[0]
_COUNT = f"""{_CLIENT}
for await (const result of client.iterate({{ query: process.env.QUERY }})) console.log(JSON.stringify(result.data));
process.exit();
"""
# connects to /CODE for each code and tells whether it was given up
_CODES = f"""{
    _CLIENT.replace("const client = createClient({", "const clientOf = (code) => createClient({").replace(
        '"ws://127.0.0.1:8000/graphql"', "`${process.env.URL}/${code}`"
    )
}
await Promise.all(process.env.CODES.split(" ").map(async (code) => {{
  try {{
    for await (const result of clientOf(code).iterate({{ query: "{{ hello }}" }}));
    console.log(JSON.stringify([code, "try again"]));
  }} catch (closed) {{
    console.log(JSON.stringify([code, closed.code === Number(code) ? "give up" : String(closed)]));
  }}
}}));
process.exit();
"""


def _in_the_guide() -> dict[int, str]:
    """What the guide tells clients to do after each close code."""
    return {int(code): what for code, what in _ROW.findall((ROOT / "docs/api-guide.md").read_text())}


async def _close_the_first_time(socket: ServerConnection, seen: Counter[int]) -> None:
    """Close the first connection to /CODE with that code, and complete what the second one asks."""
    assert socket.request is not None
    code = int(socket.request.path.strip("/"))
    seen[code] += 1
    await socket.recv()
    if seen[code] == 1 and code == _LOST:
        socket.transport.close()
    elif seen[code] == 1:
        await socket.close(code, "a test")
    else:
        await socket.send('{"type":"connection_ack"}')
        asked = re.search(r'"id":"([^"]+)"', str(await socket.recv()))
        assert asked is not None
        await socket.send(f'{{"type":"complete","id":"{asked[1]}"}}')
        await socket.wait_closed()


def test_the_guide_names_every_close_code_and_no_other() -> None:
    assert set(_in_the_guide()) == {code.value for code in CloseCode} | {_LOST}
    assert not set(_in_the_guide()) & set(_NEVER_SENT)


async def test_the_stock_client_does_after_each_close_code_what_the_guide_says(tmp_path: Path) -> None:
    codes = {**_in_the_guide(), **dict.fromkeys(_NEVER_SENT, "give up")}
    # who signs in again makes a new client or a new subscription
    codes = {code: "give up" if what == "sign in again" else what for code, what in codes.items()}
    seen = Counter[int]()
    async with serve(
        lambda socket: _close_the_first_time(socket, seen),
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("graphql-transport-ws")],
    ) as server:
        [port] = {each.getsockname()[1] for each in server.sockets}
        lines = await printed(
            tmp_path, _CODES, URL=f"ws://127.0.0.1:{port}", CODES=" ".join(map(str, codes)), TOKEN="t"
        )
    assert {int(code): what for code, what in lines} == codes


async def test_the_stock_client_comes_back_after_a_fault_of_ours(tmp_path: Path) -> None:
    async with served(GraphQLSettings()) as server:
        program = _COUNT.replace("ws://127.0.0.1:8000/graphql", server.ws_url)
        server.contexts.fault = KeyError("a bug")
        async with node(tmp_path, program, TOKEN="good-token", QUERY="{ hello }") as process:
            await asyncio.sleep(1)
            server.contexts.fault = None
            assert await next_line(process) == '{"hello":"Hello, world!"}'


async def test_the_stock_client_gives_up_on_wrong_credentials(tmp_path: Path) -> None:
    async with served(GraphQLSettings()) as server:
        program = _COUNT.replace("ws://127.0.0.1:8000/graphql", server.ws_url)
        async with node(tmp_path, program, TOKEN="wrong", QUERY="{ hello }") as process:
            output, _ = await process.communicate()
        assert process.returncode == 1
        assert b"4403" in output


async def test_the_stock_client_comes_back_on_a_device_that_slept(tmp_path: Path) -> None:
    async with served(GraphQLSettings(), ws_ping_interval=0.2, ws_ping_timeout=0.2) as server:
        program = _COUNT.replace("ws://127.0.0.1:8000/graphql", server.ws_url)
        query = "subscription { count(to: 1000000, pause: 0.05) }"
        async with node(tmp_path, program, TOKEN="good-token", QUERY=query) as process:
            assert await next_line(process) == '{"count":1}'
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1)
            process.send_signal(signal.SIGCONT)
            while (line := await next_line(process)) != '{"count":1}':
                assert line.startswith('{"count":')
