"""Reads that are asked for at the same time are one statement, and each asker gets what they asked for."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final, NamedTuple, cast

import asyncpg
import pytest
import pytest_asyncio

import app.store
from app.clock import Clock
from app.db import reads
from app.db.engine import Database, connect, is_away
from app.db.reads import KeyedRead, Read, Reads, read_many, read_rows, rows_in, statement
from app.store.ledger_reads import history_read
from bench.round_trips import RoundTrips, counted_round_trips


class _Number(NamedTuple):
    number: int
    text: str | None


class _Pair(NamedTuple):
    number: int
    text: str


UP_TO: Final = Read(
    "up_to", "SELECT n, 'is ' || n FROM generate_series(1, $1::int) n WHERE n <> $2::int ORDER BY n", _Number
)
NOTHING: Final = Read("nothing", "SELECT 1, 'never' WHERE false", _Number)
SLEEPING: Final = Read("sleeping", "SELECT 1, pg_sleep($1::float)::text", _Number)
WRONG: Final = Read("wrong", "SELECT 1 / $1::int, NULL::text", _Number)
SQUARES: Final = KeyedRead[int, _Number](
    "squares", "SELECT k, 'x' || k * k FROM unnest($1::int[]) k WHERE k < 100", _Number, lambda found: found.number
)
PAIRS: Final = KeyedRead[tuple[int, str], _Pair](
    "pairs",
    "SELECT k.n, k.t FROM unnest($1::int[], $2::text[]) k (n, t), generate_series(1, k.n) g",
    _Pair,
    lambda pair: (pair.number, pair.text),
)


class _Counted(NamedTuple):
    database: Database
    trips: RoundTrips


@pytest_asyncio.fixture
async def counted(database: Database) -> AsyncGenerator[_Counted]:
    """The database over connections of this test's own, whose round trips are counted."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with counted_round_trips() as trips:
        own = Database(connect(url), Clock())
        # a first statement also asks for the types that it finds
        await read_rows(own, UP_TO, 1, 0)
        trips.clear()
        yield _Counted(own, trips)
        await own.close()


async def test_what_is_asked_for_at_the_same_time_is_one_statement(counted: _Counted) -> None:
    asking = Reads(counted.database)
    three, one, none, square = await asyncio.gather(
        asking.rows(UP_TO, 3, 2), asking.rows(UP_TO, 1, 0), asking.row(NOTHING), asking.one_of(SQUARES, 5)
    )
    assert three == [_Number(1, "is 1"), _Number(3, "is 3")]
    assert (one, none, square) == ([_Number(1, "is 1")], None, _Number(5, "x25"))
    assert counted.trips.count == 1


async def test_those_who_ask_a_little_later_are_still_in_it(counted: _Counted) -> None:
    asking = Reads(counted.database)

    async def below(depth: int) -> object:
        if depth:
            # as a field does whose parents are objects that wait for nothing
            return (await asyncio.gather(below(depth - 1), asyncio.sleep(0)))[0]
        return await asking.rows(UP_TO, 1, 0)

    await asyncio.gather(*(below(depth) for depth in range(4)))
    assert counted.trips.count == 1


async def test_who_asks_for_the_same_shares_what_is_read(counted: _Counted) -> None:
    asking = Reads(counted.database)
    one, same, keyed, again = await asyncio.gather(
        asking.rows(UP_TO, 2, 0), asking.rows(UP_TO, 2, 0), asking.one_of(SQUARES, 3), asking.one_of(SQUARES, 3)
    )
    assert one is same
    assert keyed is again
    assert counted.trips.sent[0].count("generate_series") == 1


async def test_keys_are_looked_up_together_and_each_is_told_of_its_own(counted: _Counted) -> None:
    asking = Reads(counted.database)
    found = await asyncio.gather(*(asking.one_of(SQUARES, number) for number in (7, 200, 2)))
    assert found == [_Number(7, "x49"), None, _Number(2, "x4")]
    lists = await asyncio.gather(*(asking.all_of(PAIRS, key) for key in ((2, "a"), (1, "b"), (0, "c"))))
    assert [list(each) for each in lists] == [[(2, "a"), (2, "a")], [(1, "b")], []]
    assert counted.trips.count == 2


async def test_nothing_is_kept_for_the_next_ask(counted: _Counted) -> None:
    asking = Reads(counted.database)
    assert await asking.rows(UP_TO, 1, 0) == await asking.rows(UP_TO, 1, 0)
    assert counted.trips.count == 2


async def test_one_who_gives_up_leaves_the_others_waiting(counted: _Counted) -> None:
    asking = Reads(counted.database)
    leaving = [asyncio.create_task(asking.rows(UP_TO, 2, 0)), asyncio.create_task(asking.one_of(SQUARES, 2))]
    staying = asyncio.gather(asking.rows(UP_TO, 2, 0), asking.one_of(SQUARES, 2))
    await asyncio.sleep(0)
    for each in leaving:
        each.cancel()
    assert await staying == [[_Number(1, "is 1"), _Number(2, "is 2")], _Number(2, "x4")]
    assert all(each.cancelled() for each in leaving)


async def test_a_statement_that_nobody_waits_for_is_ended(counted: _Counted) -> None:
    asking = Reads(counted.database)
    async with asyncio.timeout(5):
        waiting = asyncio.gather(asking.rows(SLEEPING, 60.0), asking.rows(UP_TO, 1, 0))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await read_rows(counted.database, UP_TO, 1, 0) == [_Number(1, "is 1")]


async def test_a_read_that_fails_fails_for_all_of_the_statement_and_for_nobody_after_it(counted: _Counted) -> None:
    asking = Reads(counted.database)
    found = await asyncio.gather(
        asking.rows(WRONG, 0), asking.rows(UP_TO, 1, 0), asking.one_of(SQUARES, 1), return_exceptions=True
    )
    assert [type(each) for each in found] == [asyncpg.DivisionByZeroError] * 3
    assert await asking.rows(UP_TO, 1, 0) == [_Number(1, "is 1")]


async def test_a_connection_that_is_lost_is_an_outage_and_the_next_read_opens_another(counted: _Counted) -> None:
    asking = Reads(counted.database)
    waiting = asyncio.create_task(asking.rows(SLEEPING, 60.0))
    await asyncio.sleep(0.1)
    async with counted.database.raw() as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid() AND datname = current_database()"
        )
    with pytest.raises(Exception) as lost:
        await waiting
    assert is_away(lost.value)
    assert await asking.rows(UP_TO, 1, 0) == [_Number(1, "is 1")]


async def test_a_read_sees_what_its_unit_of_work_has_done_when_it_is_made_there(database: Database) -> None:
    async with database.read() as session:
        assert await rows_in(session, UP_TO, 2, 1) == [_Number(2, "is 2")]


async def test_many_keys_are_read_at_once(database: Database) -> None:
    assert [found.number for found in await read_many(database, SQUARES, [1, 2])] == [1, 2]
    assert await read_many(database, SQUARES, []) == []


def test_composed_statements_are_kept_and_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[Any, str] = type(reads._statements)()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(reads, "_statements", kept)
    monkeypatch.setattr(reads, "_MOST_STATEMENTS", 2)
    one, two = statement((UP_TO,)), statement((UP_TO, SQUARES))
    assert statement((UP_TO,)) is one
    statement((SQUARES,))
    assert list(kept) == [(UP_TO,), (SQUARES,)]
    assert statement((UP_TO, SQUARES)) == two
    assert "$3::int[]" in two


def _declared() -> Iterator[tuple[str, Read[Any] | KeyedRead[Any, Any]]]:
    for module in pkgutil.iter_modules(app.store.__path__, "app.store."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Read | KeyedRead):
                yield f"{module.name}.{name}", value
    for numbers in range(16):
        kind, usage, start, end = (bool(numbers & bit) for bit in (1, 2, 4, 8))
        yield (
            f"history {numbers}",
            history_read(is_of_kind=kind, is_of_usage=usage and kind, has_start=start, has_end=end),
        )


async def test_each_read_names_the_columns_of_its_row_in_their_order(database: Database) -> None:
    names: dict[str, object] = {}
    async with database.raw() as connection:
        for where, read in _declared():
            assert names.setdefault(read.name, read) is read, f"two reads are called {read.name}"
            prepared = await connection.prepare(read.sql)
            columns = [str(column.name) for column in cast("Any", prepared).get_attributes()]
            fields: tuple[str, ...] | None = getattr(read.row, "_fields", None)
            if fields is not None:
                assert len(columns) == len(fields), where
                named = [(column, field) for column, field in zip(columns, fields, strict=True) if column in fields]
                assert all(column == field for column, field in named), where
    assert len(names) > 30


# rows that a workspace has few of, or that are summed as well, are sorted when they were read
_SORTS = {
    *("balance", "cards_of_workspaces", "emails", "invitations", "keys_of_workspaces", "members", "sessions_of_user"),
    *("workspaces_of_user", "audit_page", "invoices_changed_last", "seat_places", "usage_by_subject", "usage_waiting"),
}


async def test_each_read_follows_an_index_also_by_a_plan_made_when_tables_were_empty(fresh_database: Database) -> None:
    await read_rows(fresh_database, UP_TO, 1, 0)
    connection: Any = fresh_database.engine.readers._idle[0]  # pyright: ignore[reportPrivateUsage]
    for number, (where, read) in enumerate(_declared()):
        types = dict(re.findall(r"\$(\d+)::(\w+(?:\[\])?)", read.sql))
        given = ", ".join(types[str(place)] for place in range(1, len(types) + 1))
        await connection.execute(f"PREPARE asked_{number} ({given}) AS {read.sql}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE asked_{number} ({', '.join('NULL' for _ in types)})")
        plan = "\n".join(row[0] for row in rows)
        assert "Seq Scan" not in plan, f"{where}\n{plan}"
        assert "Bitmap" not in plan, f"{where}\n{plan}"
        assert "Hash Join" not in plan, f"{where}\n{plan}"
        assert "Sort" not in plan or read.name in _SORTS, f"{where}\n{plan}"
    connection.terminate()
