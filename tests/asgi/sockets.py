"""A client of the `graphql-transport-ws` protocol for the tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol


class Socket:
    """Sends and receives messages of the protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: object) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        return orjson.loads(await self.connection.recv())

    async def subscribe(self, id: str, query: str, **members: object) -> None:  # noqa: A002
        await self.send(id=id, type="subscribe", payload={"query": query, **members})

    async def ask(self, **message: object) -> dict[str, Any]:
        await self.send(**message)
        return await self.receive()

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closed, whatever it sent before."""
        with suppress(ConnectionClosed):
            while True:
                await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""


@asynccontextmanager
async def open_socket(
    url: str, *, subprotocol: str | None = "graphql-transport-ws", origin: str | None = None, cookie: str | None = None
) -> AsyncGenerator[Socket]:
    """A connection that has not been initialised yet."""
    connecting = connect(
        url,
        subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
        origin=Origin(origin) if origin else None,
        additional_headers={"cookie": cookie} if cookie else None,
        compression=None,
    )
    async with connecting as connection:
        yield Socket(connection)


@asynccontextmanager
async def ready_socket(url: str, payload: Mapping[str, object] | None = None) -> AsyncGenerator[Socket]:
    """A connection that the server has acknowledged."""
    async with open_socket(url) as socket:
        message: dict[str, object] = {"type": "connection_init", **({"payload": payload} if payload else {})}
        assert await socket.ask(**message) == {"type": "connection_ack"}
        yield socket
