"""A small HTTP server for doubles of other people's services: one that can also break off, hang, and send without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qs

import h11
import orjson

_READ_BYTES = 65_536
_ENDLESS_CHUNK = b" " * _READ_BYTES
_DRIPS_EVERY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Answered:
    """What to answer; `is_endless` goes on after the body with blanks until the client has enough, one by one if it `drips`."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    is_endless: bool = False
    drips: bool = False


class BreakOff(Exception):
    """End the connection without an answer."""


Answer: TypeAlias = Callable[[Asked], Awaitable[Answered]]


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answered:
    """An answer in JSON."""
    return Answered(status, orjson.dumps(value), {"content-type": "application/json", **(headers or {})})


async def forever(_asked: Asked) -> Answered:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("nobody waits that long")


@asynccontextmanager
async def http_double(answer: Answer) -> AsyncGenerator[str]:
    """A server on a free port of this machine that answers each request with what `answer` returns; its address."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(OSError, BreakOff, h11.RemoteProtocolError, asyncio.CancelledError):
                await _converse(reader, writer, answer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    connection = h11.Connection(h11.SERVER)
    while (asked := await _next(connection, reader)) is not None:
        answered = await answer(asked)
        headers = dict(answered.headers)
        if answered.is_endless:
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = str(len(answered.body))
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await _write(writer, connection.send(h11.Response(status_code=answered.status, headers=raw)))
        await _write(writer, connection.send(h11.Data(answered.body)))
        while answered.is_endless:
            await _write(writer, connection.send(h11.Data(b" " if answered.drips else _ENDLESS_CHUNK)))
            await asyncio.sleep(_DRIPS_EVERY_SECONDS if answered.drips else 0)
        await _write(writer, connection.send(h11.EndOfMessage()))
        connection.start_next_cycle()


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> Asked | None:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        match event := connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ_BYTES))
            case h11.Request():
                request = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage() if request is not None:
                headers = {name.decode().lower(): value.decode() for name, value in request.headers}
                return Asked(request.method.decode(), request.target.decode(), headers, bytes(body))
            case _:
                return None


async def _write(writer: asyncio.StreamWriter, data: bytes | None) -> None:
    writer.write(data or b"")
    await writer.drain()
