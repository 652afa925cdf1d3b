"""The transports that hints travel by, and how to cut them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import text

from app.db.engine import connect
from app.live import CHANNEL, Bus, Hint

NEVER_SECONDS = 86_400.0


@dataclass(frozen=True)
class Transport:
    url: str
    cut: Callable[[], Awaitable[None]]
    """End every listening connection, as an administrator or a restart does."""
    send: Callable[[str], Awaitable[None]]
    """Send a payload, whatever is in it."""


def postgres_transport(url: str) -> Transport:
    async def cut() -> None:
        await _execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'bus'",
        )

    async def send(payload: str) -> None:
        await _execute(url, "SELECT pg_notify(:channel, :payload)", channel=CHANNEL, payload=payload)

    separator = "&" if "?" in url else "?"
    return Transport(f"{url}{separator}application_name=bus", cut, send)


async def _execute(url: str, statement: str, **arguments: str) -> None:
    engine = connect(url)
    async with engine.begin() as connection:
        await connection.execute(text(statement), arguments)
    await engine.dispose()


def redis_transport(url: str) -> Transport:
    async def cut() -> None:
        async with Redis.from_url(url) as client:
            await client.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")

    async def send(payload: str) -> None:
        async with Redis.from_url(url) as client:
            await client.publish(CHANNEL, payload)

    return Transport(url, cut, send)


class Process:
    """What one process of the product has: a bus, the hints that came by it, and how often it began to listen."""

    def __init__(self, url: str, silence_seconds: float = NEVER_SECONDS, answer_seconds: float = 10.0) -> None:
        self.bus = Bus(url, silence_seconds=silence_seconds, answer_seconds=answer_seconds)
        self.hints: set[Hint] = set()
        self.times_listening = 0
        self._news = asyncio.Event()

    async def start(self) -> None:
        await self.bus.start(self._on_hints, self._on_listening)

    async def heard(self, *hints: Hint) -> None:
        """Wait until these hints have come."""
        await self._until(lambda: self.hints.issuperset(hints))

    async def listens(self, times: int) -> None:
        """Wait until it has begun to listen so often."""
        await self._until(lambda: self.times_listening >= times)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()

    def _on_hints(self, hints: Sequence[Hint]) -> None:
        self.hints.update(hints)
        self._news.set()

    def _on_listening(self) -> None:
        self.times_listening += 1
        self._news.set()


@asynccontextmanager
async def running(*processes: Process) -> AsyncGenerator[None]:
    """Start the processes' buses, and close them at the end."""
    for process in processes:
        await process.start()
    try:
        yield
    finally:
        for process in processes:
            await process.bus.aclose()


class Wire:
    """A TCP relay to a server that can go silent without closing, as a dead network does."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._passes: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self, port: int = 0) -> AsyncGenerator[int]:
        """Relay from a port of this machine, which is given back."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def go_silent(self) -> None:
        """Carry nothing more on the connections there are; new ones work."""
        for passes in self._passes:
            passes.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passes = asyncio.Event()
        passes.set()
        self._passes.append(passes)
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(_copy(source, sink, passes))
            self._tasks.add(task)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, passes: asyncio.Event) -> None:
    with contextlib.suppress(ConnectionError):
        try:
            while data := await source.read(65_536):
                await passes.wait()
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()
