"""The migrations make exactly the tables that the program declares, however often and by however many they are run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import cast

import pytest_asyncio
from asyncpg import Connection

from app.db import migrate
from app.db.engine import connect, open_connection
from app.db.tables import Base
from tests.migrations.recorded_schema import recorded
from tests.support.client import eventually
from tests.support.databases import cloned_url, empty_url
from tests.support.server import run_command

# Each answers rows of (table, what it has), which tell two databases apart.
_COLUMNS = """
    SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
        coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text || a.attgenerated::text
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace = 'public'::regnamespace
"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
_TRIGGERS = """
    SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
"""
_FUNCTIONS = """
    SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
"""
# They belong to the queue's library and to Alembic, which have no declarations here.
_FOREIGN_PREFIXES = ("pgqueuer", "alembic_version")

# Columns (table, column) that no table declares any more, and that stay while the last version's code may still use them.
KEPT_FOR_THE_LAST_VERSION: frozenset[tuple[str, str]] = frozenset()

Rows = set[tuple[str, ...]]


async def _rows(connection: Connection, query: str) -> Rows:
    fetched = cast(Sequence[Sequence[object]], await connection.fetch(query))
    found = {tuple(str(value) for value in row) for row in fetched}
    return {row for row in found if not row[0].startswith(_FOREIGN_PREFIXES)}


async def _everything(url: str) -> dict[str, Rows]:
    connection = await open_connection(url)
    try:
        queries = {"columns": _COLUMNS, "constraints": _CONSTRAINTS, "indexes": _INDEXES}
        queries |= {"triggers": _TRIGGERS, "functions": _FUNCTIONS}
        return {name: await _rows(connection, query) for name, query in queries.items()}
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def empty(server_url: str) -> AsyncGenerator[str]:
    """The URL of an empty database."""
    async with empty_url(server_url) as url:
        yield url


async def test_upgrading_from_nothing_makes_exactly_the_declared_tables(server_url: str, empty: str) -> None:
    engine = connect(empty)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
    declared = await _everything(empty)

    async with cloned_url(server_url) as migrated_url:
        migrated = await _everything(migrated_url)
    migrated["columns"] = {row for row in migrated["columns"] if row[:2] not in KEPT_FOR_THE_LAST_VERSION}

    assert declared["columns"]
    for part in ("columns", "constraints", "indexes"):
        assert migrated[part] - declared[part] == set(), f"{part} that the migrations make and no table declares"
        assert declared[part] - migrated[part] == set(), f"{part} that a table declares and no migration makes"


def test_a_column_is_kept_only_while_the_last_version_uses_it() -> None:
    used = {(table, column) for table, parts in recorded().schema["tables"].items() for column in parts["columns"]}

    assert used >= KEPT_FOR_THE_LAST_VERSION, "drop these columns in a migration: see migrations/README.md"


async def test_running_the_migrations_again_changes_nothing(server_url: str) -> None:
    async with cloned_url(server_url) as url:
        before = await _everything(url)

        await migrate.upgrade_database(url)

        assert await _everything(url) == before


async def test_three_processes_at_once_migrate_as_one(server_url: str, empty: str) -> None:
    environment = {"DATABASE_URL": empty}

    ended = await asyncio.gather(
        *(asyncio.to_thread(run_command, "migrate", environment=environment) for _ in range(3))
    )

    assert [each.returncode for each in ended] == [0, 0, 0], [each.stderr for each in ended]
    async with cloned_url(server_url) as url:
        assert await _everything(empty) == await _everything(url)


async def test_whoever_comes_second_waits_as_long_as_the_first_takes(empty: str) -> None:
    first = await open_connection(empty)
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    try:
        await first.execute("SELECT pg_advisory_lock(x'636F756E'::bigint)")
        second = asyncio.create_task(migrate.upgrade_database(empty))
        await eventually(lambda: cast(Awaitable[int], first.fetchval(waits)))
        # longer than the time after which a migration gives up on a table that is in use
        await asyncio.sleep(6)
        assert not second.done()
    finally:
        await first.close()

    await second


async def test_no_table_is_left_without_a_primary_key(server_url: str) -> None:
    async with cloned_url(server_url) as url:
        constraints = (await _everything(url))["constraints"]

    keyed = {row[0] for row in constraints if row[2].startswith("PRIMARY KEY")}
    assert set(Base.metadata.tables) - keyed == set()


async def test_the_guards_of_the_ledger_are_there(server_url: str) -> None:
    async with cloned_url(server_url) as url:
        triggers = (await _everything(url))["triggers"]

    assert {row[0] for row in triggers} >= {"ledger_entries", "ledger_transactions"}
