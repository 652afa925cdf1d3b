"""Reading: each read is declared once, beside its table; what an operation asks for at the same time is one statement.

A resolver asks for a read and waits. Whatever else the operation asks for in the same turn of the event loop goes into the same
statement, so siblings share a round trip and see one snapshot of the database. Nothing is kept for later asks: after a change the
same read tells what is there then.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from sqlalchemy import TextClause, text

from app.db.engine import Database, Session

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Read(Generic[Row]):
    """A read with plain parameters.

    `sql` is a SELECT with its parameters as `$1::type`; `row` makes a row of its columns, given in their order; `name` tells the
    read from all others.
    """

    name: str
    sql: str
    row: Callable[..., Row]


@dataclass(frozen=True, eq=False)
class KeyedRead(Generic[Key, Row]):
    """A read of what belongs to keys: those that are asked for at the same time are looked up together.

    `$1::type[]` in its `sql` are the keys, each of which is there once; where a key is a tuple, `$2` are their second members, and
    so on. `key` tells which of the keys a row belongs to.
    """

    name: str
    sql: str
    row: Callable[..., Row]
    key: Callable[[Row], Key]


# How often the event loop must come round without another ask before the statement is sent. A field whose parent has just been
# read asks at once, one whose parents are objects that wait for nothing asks one turn later for each of them.
_QUIET_TURNS: Final = 3

_MOST_STATEMENTS: Final = 256

_PARAMETER = re.compile(r"\$(\d+)")
_TYPED_PARAMETER = re.compile(r"\$(\d+)::(\w+(?:\[\])?)")

_AnyRead: TypeAlias = "Read[Any] | KeyedRead[Any, Any]"
_Waiting: TypeAlias = "list[asyncio.Future[Any]]"


class Reads:
    """What one operation reads. It may be made anew at any time: nothing in it lasts longer than the statement on its way."""

    __slots__ = ("_batch", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batch: _Batch | None = None

    @property
    def now(self) -> datetime:
        """The product's time."""
        return self._database.clock.now()

    @property
    def real_now(self) -> datetime:
        """The wall's time."""
        return self._database.clock.real_now()

    async def rows(self, read: Read[Row], *parameters: Hashable) -> Sequence[Row]:
        """All rows of a read. Those who ask for the same at the same time get the same rows."""
        batch = self._open()
        return await batch.wait(batch.plain.setdefault((read, parameters), []))

    async def row(self, read: Read[Row], *parameters: Hashable) -> Row | None:
        """The first row of a read, if there is one."""
        found = await self.rows(read, *parameters)
        return found[0] if found else None

    async def all_of(self, read: KeyedRead[Key, Row], key: Key) -> Sequence[Row]:
        """The rows that belong to a key."""
        batch = self._open()
        return await batch.wait(batch.keyed.setdefault(read, {}).setdefault(key, []))

    async def one_of(self, read: KeyedRead[Key, Row], key: Key) -> Row | None:
        """The row that belongs to a key, if there is one."""
        found = await self.all_of(read, key)
        return found[0] if found else None

    def _open(self) -> _Batch:
        """The batch that is still open: asks that come after it was sent are of the next one."""
        batch = self._batch
        if batch is None or batch.task is not None:
            batch = self._batch = _Batch(self._database)
        return batch


async def read_rows(database: Database, read: Read[Row], *parameters: Hashable) -> Sequence[Row]:
    """All rows of a read, at once, for who reads nothing beside it."""
    record = await database.engine.readers.fetch_record(statement((read,)), parameters)
    return _made(read, record[0])


async def rows_in(session: Session, read: Read[Row], *parameters: Hashable) -> Sequence[Row]:
    """All rows of a read, as a unit of work sees them."""
    return [read.row(*found) for found in await session.execute(_clause(read), _named(parameters))]


async def all_in(session: Session, read: KeyedRead[Key, Row], keys: Sequence[Key]) -> Sequence[Row]:
    """The rows that belong to any of these keys, as a unit of work sees them."""
    return [read.row(*found) for found in await session.execute(_clause(read), _named(_key_columns(keys)))]


async def read_many(database: Database, read: KeyedRead[Key, Row], keys: Sequence[Key]) -> Sequence[Row]:
    """The rows that belong to any of these keys, at once, for who reads nothing beside them."""
    record = await database.engine.readers.fetch_record(statement((read,)), _key_columns(keys))
    return _made(read, record[0])


class _Batch:
    """Asks that share a statement; `task` is set once that is on its way."""

    __slots__ = ("_database", "_has_new", "_loop", "_quiet_turns", "keyed", "plain", "task")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._has_new = True
        self._quiet_turns = 0
        self.plain: dict[tuple[Read[Any], tuple[Hashable, ...]], _Waiting] = {}
        self.keyed: dict[KeyedRead[Any, Any], dict[Hashable, _Waiting]] = {}
        self.task: asyncio.Task[None] | None = None
        self._loop.call_soon(self._turn)

    async def wait(self, waiting: _Waiting) -> Sequence[Any]:
        """What is read for those who wait here. One who is cancelled leaves the others waiting."""
        self._has_new = True
        future: asyncio.Future[Sequence[Any]] = self._loop.create_future()
        waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            self._give_up_alone()
            raise

    def _turn(self) -> None:
        """Called once each time the loop comes round, until it came round often enough without another ask."""
        self._quiet_turns = 0 if self._has_new else self._quiet_turns + 1
        self._has_new = False
        if self._quiet_turns < _QUIET_TURNS:
            self._loop.call_soon(self._turn)
        else:
            self.task = self._loop.create_task(self._answer())

    def _give_up_alone(self) -> None:
        """End a statement that nobody waits for any more."""
        if self.task is not None and all(future.done() for future in self._futures()):
            self.task.cancel()

    def _futures(self) -> list[asyncio.Future[Any]]:
        waiting = [*self.plain.values(), *(each for keys in self.keyed.values() for each in keys.values())]
        return [future for futures in waiting for future in futures]

    async def _answer(self) -> None:
        plain = sorted(self.plain.items(), key=lambda part: part[0][0].name)
        keyed = sorted(self.keyed.items(), key=lambda part: part[0].name)
        parameters = [value for (_, given), _ in plain for value in given]
        for _, keys in keyed:
            parameters += _key_columns(list(keys))
        reads = (*(read for (read, _), _ in plain), *(read for read, _ in keyed))
        try:
            record = await self._database.engine.readers.fetch_record(statement(reads), parameters)
            answers = [_made(read, rows) for read, rows in zip(reads, record, strict=True)]
        except Exception as error:
            for future in self._futures():
                if not future.done():
                    future.set_exception(error)
            return
        for (_, waiting), rows in zip(plain, answers[: len(plain)], strict=True):
            _tell(waiting, rows)
        for (read, keys), rows in zip(keyed, answers[len(plain) :], strict=True):
            by_key: dict[Hashable, list[Any]] = {}
            for row in rows:
                by_key.setdefault(read.key(row), []).append(row)
            for key, waiting in keys.items():
                _tell(waiting, by_key.get(key, ()))


def _tell(waiting: _Waiting, rows: Sequence[Any]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(rows)


def _made(read: Read[Row] | KeyedRead[Any, Row], records: Sequence[tuple[object, ...]]) -> Sequence[Row]:
    row = read.row
    return [row(*record) for record in records]


def _key_columns(keys: Sequence[Any]) -> list[list[object]]:
    """The keys as one list, or one for each member of those that are tuples."""
    if keys and isinstance(keys[0], tuple):
        return [list(cast("tuple[object, ...]", members)) for members in zip(*keys, strict=True)]
    return [list(keys)]


def _named(parameters: Sequence[object]) -> dict[str, object]:
    return {f"p{number}": value for number, value in enumerate(parameters, 1)}


@lru_cache(maxsize=_MOST_STATEMENTS)
def _clause(read: _AnyRead) -> TextClause:
    """The read as SQLAlchemy takes statements, within a session's transaction."""
    return text(_TYPED_PARAMETER.sub(r"CAST(:p\1 AS \2)", read.sql))


_statements: OrderedDict[tuple[_AnyRead, ...], str] = OrderedDict()


def statement(reads: tuple[_AnyRead, ...]) -> str:
    """The statement that makes these reads: one row, with an array of records for each. The last used ones are kept."""
    known = _statements.get(reads)
    if known is not None:
        _statements.move_to_end(reads)
        return known
    parts: list[str] = []
    parameters = 0
    for number, read in enumerate(reads):
        shift = parameters
        sql = _PARAMETER.sub(lambda found, shift=shift: f"${int(found[1]) + shift}", read.sql)
        parts.append(f"ARRAY(SELECT r{number} FROM ({sql}) r{number})")
        parameters += max((int(each) for each in _PARAMETER.findall(read.sql)), default=0)
    composed = _statements[reads] = "SELECT " + ",\n".join(parts)
    if len(_statements) > _MOST_STATEMENTS:
        _statements.popitem(last=False)
    return composed
