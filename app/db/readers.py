"""The connections that read: a few, apart from those of units of work, kept open, one statement at a time and no transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

import asyncpg
from asyncpg import Connection

# More statements at the same time than the machine has processors make none of them quicker.
MOST_READERS: Final = 8


class Readers:
    """A pool that costs next to nothing: what it hands out needs no reset, since no statement leaves anything behind."""

    __slots__ = ("_free", "_idle", "_open")

    def __init__(self, open_connection: Callable[[], Awaitable[Connection]]) -> None:
        self._open = open_connection
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(MOST_READERS)

    async def fetch_record(self, sql: str, parameters: Sequence[Any]) -> Sequence[Any]:
        """The one row that a statement answers. Raises what the driver does; a connection that failed is not used again."""
        async with self._free:
            connection = self._take() or await self._open()
            try:
                record = cast("Sequence[Any] | None", await connection.fetchrow(sql, *parameters))
            except asyncpg.PostgresError:
                self._keep(connection)
                raise
            except BaseException:
                # a statement that was cancelled may still be running
                connection.terminate()
                raise
            self._keep(connection)
        if record is None:
            raise LookupError("a statement that always answers one row answered none")
        return record

    async def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            await self._idle.pop().close()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.is_closed():
            self._idle.append(connection)
