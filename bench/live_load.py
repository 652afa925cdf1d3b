"""A client with many sockets, all subscribed to the same; in a process of its own, so that its time is not the server's.

`python -m bench.live_load URL`, steered over standard input, a JSON object a line: `{"query", "variables", "tokens"}` opens a
socket for each token, and is answered with a line once all have their first state. After it a line is written each time that every
socket has got one message more.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final, cast

import orjson
import uvloop
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

SUBPROTOCOL: Final = "graphql-transport-ws"

_OPENED_AT_ONCE: Final = 50
_OPENS_WITHIN_SECONDS: Final = 120.0
_LINE_BYTES: Final = 64 * 1024 * 1024


def free_port() -> int:
    """A port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def standard_input() -> asyncio.StreamReader:
    """Standard input as a stream of lines."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


class _Socket(asyncio.Protocol):
    """One subscribed socket; `on_next` is called for each state after the first."""

    def __init__(self, url: str, token: str, subscribe: bytes, on_next: Callable[[], None]) -> None:
        self._protocol = ClientProtocol(parse_uri(url), subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None)
        self._init = orjson.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        self._subscribe = subscribe
        self._on_next = on_next
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if not isinstance(event, Frame):
                self._send(self._init)
            elif event.opcode is Opcode.TEXT:
                self._handle(bytes(event.data))
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        sys.exit(f"the server closed a socket: {self._protocol.close_code} {self._protocol.close_reason} {exc or ''}")

    def _handle(self, message: bytes) -> None:
        if self.opened.done():
            self._on_next()
        elif b"connection_ack" in message:
            self._send(self._subscribe)
        elif b'"data"' in message:
            self.opened.set_result(None)
        else:
            sys.exit(f"the server refused: {message.decode()}")

    def _send(self, message: bytes) -> None:
        self._protocol.send_text(message)
        self._flush()

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            self._transport.write(data)


class _Crowd:
    """All sockets, and how many messages they got since they were last all served."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._size = 0
        self._got = 0
        self._few = asyncio.Semaphore(_OPENED_AT_ONCE)

    async def grow(self, tokens: list[str], payload: Mapping[str, object]) -> None:
        """Open a socket for each token and wait until all have their first state."""
        subscribe = orjson.dumps({"id": "1", "type": "subscribe", "payload": payload})
        # One alone first: broadcaster loses one of two first subscribers that come at once.
        await self._open(tokens[0], subscribe)
        await asyncio.gather(*(self._open(token, subscribe) for token in tokens[1:]))
        self._size += len(tokens)
        print("open", flush=True)

    async def _open(self, token: str, subscribe: bytes) -> None:
        uri = parse_uri(self._url)
        async with self._few, asyncio.timeout(_OPENS_WITHIN_SECONDS):
            _, opened = await asyncio.get_running_loop().create_connection(
                lambda: _Socket(self._url, token, subscribe, self._on_next), uri.host, uri.port
            )
            await opened.opened

    def _on_next(self) -> None:
        self._got += 1
        if self._got == self._size:
            self._got = 0
            print("served", flush=True)


async def main(url: str) -> None:
    """Open sockets as told until standard input ends."""
    crowd = _Crowd(url)
    async for line in await standard_input():
        command = orjson.loads(line)
        await crowd.grow(command["tokens"], {"query": command["query"], "variables": command["variables"]})


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
