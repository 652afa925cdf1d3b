"""The schema of the last version, recorded in `recorded_schema.json`, and what in a newer schema would break that version's code.

`python -m tests.migrations.recorded_schema` records the schema that the migrations make now: with each release, and only then.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from asyncpg import Connection

from app.db.engine import open_connection
from tests.support.databases import TEMPLATE, on_database, server_for_run

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).with_name("recorded_schema.json")

# They belong to the queue's library and to Alembic.
_FOREIGN = "('pgqueuer', 'alembic_version')"
_COLUMNS = f"""
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.atthasdef OR a.attidentity <> '' AS has_default
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace = 'public'::regnamespace
        AND split_part(c.relname, '_', 1) <> 'pgqueuer' AND c.relname NOT IN {_FOREIGN}
"""
_RULES = f"""
    SELECT c.relname, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.contype IN ('c', 'f', 'x') AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN {_FOREIGN}
    UNION ALL
    SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN {_FOREIGN}
"""
_UNIQUE = (
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%UNIQUE%'"
)
_FUNCTIONS = """
    SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid) FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
"""


class Column(NamedTuple):
    """A column's type as PostgreSQL writes it, and whether a row may leave it out."""

    type: str
    not_null: bool
    has_default: bool

    @classmethod
    def of(cls, text: str) -> Column:
        """The column that `__str__` wrote."""
        rest, has_default = text.removesuffix(" DEFAULT"), text.endswith(" DEFAULT")
        return cls(rest.removesuffix(" NOT NULL"), rest.endswith(" NOT NULL"), has_default)

    def __str__(self) -> str:
        return self.type + " NOT NULL" * self.not_null + " DEFAULT" * self.has_default


class Table(TypedDict):
    """A table: its columns, its unique indexes, and as `rules` its other constraints and its triggers; the text of each by name."""

    columns: dict[str, str]
    unique: dict[str, str]
    rules: dict[str, str]


class Schema(TypedDict):
    """The tables, and functions (of those recorded, what the program calls): arguments and result by name."""

    tables: dict[str, Table]
    functions: dict[str, list[str]]


class Record(NamedTuple):
    """The schema that the code of `version` was written for."""

    version: str
    schema: Schema


def version_of_the_program() -> str:
    """The version in `pyproject.toml`."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def recorded() -> Record:
    """The record in the repository."""
    return Record(**json.loads(RECORD.read_text()))


async def read_schema(url: str) -> Schema:
    """The schema of the database at `url`."""
    connection = await open_connection(url)
    try:
        tables: dict[str, Table] = {}
        for table, name, kind, not_null, has_default in await _rows(connection, _COLUMNS):
            columns = tables.setdefault(table, Table(columns={}, unique={}, rules={}))["columns"]
            columns[name] = str(Column(kind, not_null, has_default))
        for part, query in (("unique", _UNIQUE), ("rules", _RULES)):
            for table, name, definition in await _rows(connection, query):
                if table in tables:
                    tables[table][part][name] = definition
        found = {name: [arguments, result] for name, arguments, result in await _rows(connection, _FUNCTIONS)}
    finally:
        await connection.close()
    return Schema(tables=tables, functions=found)


async def _rows(connection: Connection, query: str) -> Sequence[Sequence[Any]]:
    return cast(Sequence[Sequence[Any]], await connection.fetch(query))


def breakages(older: Schema, newer: Schema, reviewed: Collection[str]) -> list[str]:
    """What the code written for `older` could not do on `newer`; rules and unique indexes named in `reviewed` are let through."""
    found: list[str] = []
    for name, table in older["tables"].items():
        if name in newer["tables"]:
            found += _broken_columns(name, table, newer["tables"][name])
            found += _broken_rules(name, table, newer["tables"][name], reviewed)
        else:
            found.append(f"table {name} is gone")
    for name, signature in older["functions"].items():
        now = newer["functions"].get(name)
        if now != signature:
            found.append(
                f"function {name} is gone" if now is None else f"function {name} takes or returns something else"
            )
    return found


def _broken_columns(table: str, older: Table, newer: Table) -> Iterator[str]:
    columns = {name: Column.of(text) for name, text in newer["columns"].items()}
    for name, text in older["columns"].items():
        column, now = Column.of(text), columns.pop(name, None)
        if now is None:
            yield f"column {table}.{name} is gone or renamed"
        elif now.type != column.type:
            yield f"column {table}.{name} was {column.type} and is {now.type}"
        elif now.not_null and not column.not_null:
            yield f"column {table}.{name} no longer takes null"
        elif column.has_default and not now.has_default:
            yield f"column {table}.{name} has lost its default"
    for name, column in columns.items():
        if column.not_null and not column.has_default:
            yield f"new column {table}.{name} is NOT NULL without a server default: rows without it are refused"


def _broken_rules(table: str, older: Table, newer: Table, reviewed: Collection[str]) -> Iterator[str]:
    for name, definition in older["unique"].items():
        if newer["unique"].get(name) != definition:
            yield f"unique index {name} of {table} is gone or another: ON CONFLICT may rely on it"
    for part in ("unique", "rules"):
        for name, definition in newer[part].items():
            if older[part].get(name) != definition and name not in reviewed:
                yield f"{name} of {table} is new or another: it may refuse rows that the older code writes"


async def _record(url: str) -> None:
    schema = await read_schema(url)
    sources = "".join(path.read_text() for path in sorted((ROOT / "app").rglob("*.py")))
    called = {name: signature for name, signature in schema["functions"].items() if f"{name}(" in sources}
    record = Record(version_of_the_program(), Schema(tables=schema["tables"], functions=called))
    RECORD.write_text(json.dumps(record._asdict(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    with server_for_run() as server:
        asyncio.run(_record(on_database(server, TEMPLATE)))
