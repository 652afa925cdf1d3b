"""The connections to PostgreSQL, and sessions on them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast

import asyncpg
import orjson
from asyncpg import Connection
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.clock import Clock
from app.db.outbox import HintTransport, NoHints, Outbox
from app.db.readers import Readers


class Session(AsyncSession):
    """One transaction's view of the database, with the time it happens at and the outbox it leaves.

    `now` is the product's time and `real_now` the wall's, both read once so that one unit of work happens at one moment.
    """

    now: datetime
    real_now: datetime
    outbox: Outbox


def no_faults(point: str) -> None:
    """The fault hook outside of crash tests: does nothing."""


class Engine(AsyncEngine):
    """The pool that units of work take their connections from, and the connections that read."""

    __slots__ = ("readers",)

    def __init__(self, pool: AsyncEngine, readers: Readers) -> None:
        super().__init__(pool.sync_engine)
        self.readers = readers

    async def dispose(self, close: bool = True) -> None:
        """Close every connection."""
        await self.readers.close()
        await super().dispose(close)


@dataclass(slots=True)
class Database:
    """A pool of connections and what a unit of work needs beside them.

    `fault` is called with a name before and after each commit; crash tests end the process in it.
    """

    engine: Engine
    clock: Clock
    hints: HintTransport = field(default_factory=NoHints)
    fault: Callable[[str], None] = no_faults
    _sessions: async_sessionmaker[Session] = field(init=False)

    def __post_init__(self) -> None:
        self._sessions = async_sessionmaker(self.engine, class_=Session, expire_on_commit=False, autobegin=True)

    def session(self) -> Session:
        """A new session that commits nothing by itself: units of work are made by `app.db.unit_of_work`."""
        session = self._sessions()
        session.now = self.clock.now()
        session.real_now = self.clock.real_now()
        session.outbox = Outbox()
        return session

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Session]:
        """A short session for reading; whatever is written in it is rolled back."""
        async with self.session() as session:
            yield session

    @asynccontextmanager
    async def raw(self) -> AsyncGenerator[Connection]:
        """A bare asyncpg connection of the same pool, for hot statements; each one commits by itself."""
        async with self.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            if driver is None:
                raise RuntimeError("the pool handed out a closed connection")
            yield driver

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def open_connection(url: str) -> Connection:
    """A bare asyncpg connection outside the pool, for listening and for the worker; the caller closes it."""
    return cast(Connection, await asyncpg.connect(url))  # pyright: ignore[reportUnknownMemberType]


_LOST = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)


def is_away(error: BaseException) -> bool:
    """Whether an error of the pool or the driver says that the database can't be reached, or let go of a connection."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, (PoolTimeout, *_LOST))
    driver = error.orig.__cause__ if error.orig is not None else None
    return (
        error.connection_invalidated
        or isinstance(error, InterfaceError | OperationalError)
        or isinstance(driver, _LOST)
    )


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


_SERVER_SETTINGS = {
    "timezone": "UTC",
    "application_name": "counterfoil",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "60000",
}
# A composed statement is planned once for all parameters, since planning it takes longer than running it. Every read follows an
# index, also by a plan that was made when the table was small or before anything was counted in it.
_READER_SETTINGS = {
    **_SERVER_SETTINGS,
    "default_transaction_read_only": "on",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    **dict.fromkeys(
        ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort"), "off"
    ),
}


# How many statements a reader keeps prepared. A composed one may be long, and its plan takes some hundred kilobytes in PostgreSQL.
_READER_CACHE = {"statement_cache_size": 60, "max_cacheable_statement_size": 0}


async def _open(url: str, settings: dict[str, str], **options: int) -> Connection:
    # the driver reads the URL by itself, as it does for connections outside the pool: `sslmode` and the like mean the same
    try:
        return cast(Connection, await asyncpg.connect(url, server_settings=settings, **options))  # pyright: ignore
    except OSError as error:
        # a missing socket or an unknown host, which elsewhere would be mistakes of ours
        raise ConnectionError(error.errno, error.strerror or str(error)) from error


def _binary_json(value: object) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _from_binary_json(value: bytes) -> object:
    return orjson.loads(value[1:])


async def _open_reader(url: str) -> Connection:
    opened = await _open(url, _READER_SETTINGS, **_READER_CACHE)
    # within a record values come in their binary form, which for jsonb is the text behind a version number
    await opened.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_binary_json,
        decoder=_from_binary_json,
        format="binary",
    )
    return opened


def connect(url: str, *, pool_size: int = 20) -> Engine:
    """An engine for `url` (`postgresql://…`), with UTC, JSON through orjson and statements that can't run for ever."""

    pool = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=False,
        # errors are logged, and what statements were given may name people
        hide_parameters=True,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        async_creator=partial(_open, url, _SERVER_SETTINGS),
    )
    return Engine(pool, Readers(partial(_open_reader, url)))
