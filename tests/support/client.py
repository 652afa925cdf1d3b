"""A stock client of the API over real HTTP, WebSocket and Server-Sent Events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

T = TypeVar("T")

_PATIENCE_SECONDS = 60.0
_POLL_EVERY_SECONDS = 0.02


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """What `look` returns once that is true; fails when it never is, with what it returned last."""
    last: object = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                last = found = await look()
                if found:
                    return found
                await asyncio.sleep(_POLL_EVERY_SECONDS)
    except TimeoutError:
        raise AssertionError(f"it never came true; the last look gave {last!r}") from None


class Api:
    """The API of a running server at `url`, such as `http://127.0.0.1:8000`."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self.http = http

    async def send(
        self, document: str, variables: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> httpx.Response:
        """The response to an operation."""
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        body = {"query": document, "variables": variables or {}}
        return await self.http.post(f"{self.url}/graphql", json=body, headers=headers)

    async def query(
        self, document: str, variables: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """The `data` of an operation; fails when it has errors beside `userErrors`."""
        answer = (await self.send(document, variables, token=token)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refused(
        self, document: str, variables: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> str:
        """The code of the only error of an operation that must not succeed."""
        response = await self.send(document, variables, token=token)
        assert response.status_code < 500, response.text
        [error] = response.json()["errors"]
        return error["extensions"]["code"]

    @asynccontextmanager
    async def socket(self, token: str) -> AsyncGenerator[Socket]:
        """An acknowledged `graphql-transport-ws` connection."""
        url = f"{self.url.replace('http', 'ws', 1)}/graphql"
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None) as connection:
            socket = Socket(connection)
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert (await socket.receive())["type"] == "connection_ack"
            yield socket

    @asynccontextmanager
    async def events(
        self, document: str, variables: Mapping[str, object], *, token: str
    ) -> AsyncGenerator[AsyncGenerator[dict[str, Any]]]:
        """The payloads of a subscription as Server-Sent Events, until the server completes it."""
        headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
        body = {"query": document, "variables": variables}
        async with self.http.stream("POST", f"{self.url}/graphql", json=body, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream"), await response.aread()
            yield _payloads(response)


class Socket:
    """One connection with one subscription at a time."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: object) -> None:
        """Send a message of the protocol."""
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        """The next message of the protocol."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return orjson.loads(await self.connection.recv())

    async def subscribe(self, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """Begin a subscription and return its first state."""
        await self.send(id="1", type="subscribe", payload={"query": document, "variables": variables})
        return await self.state()

    async def state(self) -> dict[str, Any]:
        """The next state pushed, of the one field of the subscription."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        [value] = message["payload"]["data"].values()
        return value

    async def until(self, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state from now on that `accept` takes."""
        while not accept(state := await self.state()):
            pass
        return state


async def _payloads(response: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event:"):
            event = line.removeprefix("event:").strip()
        elif line.startswith("data:") and event == "next":
            yield orjson.loads(line.removeprefix("data:"))
        elif line.startswith("data:") and event == "complete":
            return
