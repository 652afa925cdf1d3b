"""broadcaster's backends, made to say when their connection is gone.

As they come, a lost connection shows nowhere: PostgreSQL's listener falls silent, and Redis's reading task ends unseen. Here the
loss arrives as one more event, `LOST`, after the last message that was heard; its reader then opens a new connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final, Protocol
from urllib.parse import urlsplit

from broadcaster import Broadcast, Event
from broadcaster._backends.postgres import PostgresBackend
from broadcaster._backends.redis import RedisBackend
from redis.exceptions import RedisError

from app.live.hints import CHANNEL

LOST: Final = Event(channel=CHANNEL, message="")
"""The connection is gone. Known by its identity, which no message from outside can have."""

_POSTGRES_SCHEMES: Final = frozenset({"postgres", "postgresql"})
_REDIS_SCHEMES: Final = frozenset({"redis", "rediss"})
_MEMORY_SCHEMES: Final = frozenset({"memory"})
_CONNECT_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 2.0


class Events(Protocol):
    """The messages of the channel, one `get` each."""

    async def get(self) -> Event: ...


def is_transactional(url: str) -> bool:
    """Whether a transaction can carry messages itself, so that they are sent if and only if it commits.

    Raises `ValueError`, which doesn't repeat it, for a URL that is neither PostgreSQL's nor Redis's nor `memory://`.
    """
    try:
        # a port that is none is mostly a password that was not encoded
        scheme, _ = urlsplit(url).scheme, urlsplit(url).port
    except ValueError:
        scheme = ""
    if scheme not in _POSTGRES_SCHEMES | _REDIS_SCHEMES | _MEMORY_SCHEMES:
        raise ValueError(
            "what carries live hints begins with redis://, rediss:// or postgresql://, and signs such as / and # in its password "
            "are percent-encoded"
        )
    return scheme in _POSTGRES_SCHEMES


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[tuple[Broadcast, Events]]:
    """A connection that listens on `CHANNEL`; raises whatever the transport does, or `TimeoutError`, where none comes about."""
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(_CONNECT_SECONDS):
            broadcast = await stack.enter_async_context(_broadcast(url))
            events = await stack.enter_async_context(broadcast.subscribe(CHANNEL))
        yield broadcast, events


def _broadcast(url: str) -> Broadcast:
    scheme = urlsplit(url).scheme
    if scheme in _POSTGRES_SCHEMES:
        return Broadcast(backend=_WatchedPostgres(url))
    if scheme in _REDIS_SCHEMES:
        return Broadcast(backend=_WatchedRedis(url))
    return Broadcast(url)


class _WatchedPostgres(PostgresBackend):
    async def connect(self) -> None:
        await super().connect()
        self._conn.add_termination_listener(self._connection_lost)

    def _connection_lost(self, _connection: object) -> None:
        self._listen_queue.put_nowait(LOST)

    async def unsubscribe(self, channel: str) -> None:
        """Nothing: the connection is closed next, and to ask it once more can hang."""

    async def disconnect(self) -> None:
        with suppress(TimeoutError, OSError):
            await self._conn.close(timeout=_CLOSE_SECONDS)


class _WatchedRedis(RedisBackend):
    async def connect(self) -> None:
        try:
            await super().connect()
        except BaseException:
            await self.disconnect()
            raise

    async def unsubscribe(self, channel: str) -> None:
        """Nothing: the connection is closed next, and to ask it once more can open another."""

    async def disconnect(self) -> None:
        # A reader that sees its connection closed would first open a new one.
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await super().disconnect()

    async def _pubsub_listener(self) -> None:
        try:
            await super()._pubsub_listener()
        except (RedisError, OSError):
            await self._queue.put(LOST)
