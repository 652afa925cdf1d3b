"""Round trips to PostgreSQL, counted at the driver: whatever it sends and waits for, BEGIN and ROLLBACK too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import asyncpg

# what the driver's protocol sends and waits for; preparing a statement happens once for each connection and is not counted
_SENDING: Final = frozenset({"query", "bind_execute", "bind_execute_many", "bind", "execute", "copy_in", "copy_out"})
# what the driver asks by itself when it meets a type for the first time on a connection
_ABOUT_TYPES: Final = ("typeinfo", "'jit'")


class RoundTrips:
    """How many there were, and what was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    @property
    def count(self) -> int:
        """How many round trips there were."""
        return len(self.sent)

    def clear(self) -> None:
        """Begin to count anew."""
        self.sent.clear()


class _CountingProtocol:
    """The driver's protocol, each of whose round trips is noted."""

    def __init__(self, protocol: Any, trips: RoundTrips) -> None:
        self._protocol = protocol
        self._trips = trips

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._protocol, name)
        if name not in _SENDING:
            return member

        def noted(*arguments: Any, **named: Any) -> Any:
            what = arguments[0] if arguments else next(iter(named.values()))
            sent = what if isinstance(what, str) else str(getattr(what, "query", name))
            if not any(words in sent for words in _ABOUT_TYPES):
                self._trips.sent.append(sent)
            return member(*arguments, **named)

        return noted


@contextmanager
def counted_round_trips() -> Generator[RoundTrips]:
    """Counts the round trips of the connections that are opened from here on."""
    trips = RoundTrips()
    connect = cast("Callable[..., Awaitable[Any]]", asyncpg.connect)

    async def counted(*arguments: Any, **named: Any) -> Any:
        connection: Any = await connect(*arguments, **named)
        connection._protocol = _CountingProtocol(connection._protocol, trips)
        return connection

    # a pool of the driver's opens its connections by the second name
    asyncpg.connect = asyncpg.connection.connect = counted
    try:
        yield trips
    finally:
        asyncpg.connect = asyncpg.connection.connect = connect
