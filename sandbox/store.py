"""The database: Stripe's objects as JSON documents in the schema `stripe_sandbox`, one transaction for each request."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from sandbox.errors import invalid_request, resource_missing
from sandbox.objects import Json

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS stripe_sandbox;
CREATE TABLE IF NOT EXISTS stripe_sandbox.objects (
    id text PRIMARY KEY,
    kind text NOT NULL,
    seq bigserial NOT NULL,
    body jsonb NOT NULL
);
ALTER TABLE stripe_sandbox.objects ADD COLUMN IF NOT EXISTS due_at bigint;
ALTER TABLE stripe_sandbox.objects ADD COLUMN IF NOT EXISTS due_rank smallint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS objects_due ON stripe_sandbox.objects (due_at, due_rank, seq) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_kind_seq ON stripe_sandbox.objects (kind, seq);
DROP INDEX IF EXISTS stripe_sandbox.objects_body;
-- events are many and large, and are never looked for by what they contain
CREATE INDEX IF NOT EXISTS objects_searched ON stripe_sandbox.objects USING gin (body jsonb_path_ops)
    WHERE kind <> 'event';
CREATE TABLE IF NOT EXISTS stripe_sandbox.idempotency_keys (
    key text PRIMARY KEY,
    path text NOT NULL,
    fingerprint text NOT NULL,
    request_id text NOT NULL,
    status integer NOT NULL,
    body text NOT NULL,
    created bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS stripe_sandbox.deliveries (
    id bigserial PRIMARY KEY,
    event text NOT NULL,
    endpoint text NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_at double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_pending ON stripe_sandbox.deliveries (next_at) WHERE status = 'pending';
CREATE TABLE IF NOT EXISTS stripe_sandbox.settings (name text PRIMARY KEY, value jsonb NOT NULL);
"""

# any number will do, as long as nothing else in the database takes the same advisory lock
_SCHEMA_LOCK = 727_271_001

_COUNT_OF_COLUMNS = (
    "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'stripe_sandbox' AND table_name = 'objects'"
)
_COLUMNS_WITH_DUE_TIME = 6

DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 100

# for each kind of object, the functions that update what depends on an object of that kind
Dependents = Mapping[str, "Sequence[Callable[[Transaction, Json], Awaitable[None]]]"]

# when an object is due by itself, in seconds since 1970, and its rank among what is due in the same second; None for never
DueTime = Callable[[Json], tuple[int, int] | None]


def _of_kind(kind: str) -> str:
    """Return the condition for a kind, which is a name from the code and stands in the statement: by it the index is chosen."""
    assert re.fullmatch("[a-z_.]+", kind)
    return f"kind = '{kind}'"


@dataclass
class Transaction:
    """What one request, or one piece of due work, reads and writes; it commits as a whole.

    `now` is the sandbox's time in seconds since 1970, `base_url` the address of its hosted pages.
    """

    connection: Any
    now: int
    base_url: str
    dependents: Dependents
    due_time: DueTime
    request_id: str | None = None
    idempotency_key: str | None = None
    emitted_events: int = 0
    # what emitting an event needs to know, which seldom changes
    remembered: dict[str, Any] = field(default_factory=dict[str, Any])

    async def find_including_deleted(self, kind: str, object_id: str) -> Json | None:
        """Return the object, or None; of a deleted one, the document that says that it was deleted."""
        return await self.connection.fetchval(
            "SELECT body FROM stripe_sandbox.objects WHERE id = $1 AND kind = $2", object_id, kind
        )

    async def get(self, kind: str, object_id: str, param: str | None = None) -> Json:
        """Return an object that is not deleted.

        Raises resource_missing: 404, or 400 where the identifier came in the parameter `param`.
        """
        found = await self.find_including_deleted(kind, object_id)
        if found is None or found.get("deleted"):
            raise resource_missing(kind, object_id, param or "id", 400 if param else 404)
        return found

    async def insert(self, body: Json, kind: str | None = None) -> Json:
        """Store a new object and return it."""
        self._forget(body)
        due_at, due_rank = self.due_time(body) or (None, 0)
        await self.connection.execute(
            "INSERT INTO stripe_sandbox.objects (id, kind, body, due_at, due_rank) VALUES ($1, $2, $3, $4, $5)",
            body["id"],
            kind or body["object"],
            body,
            due_at,
            due_rank,
        )
        return body

    async def save(self, body: Json) -> Json:
        """Store an object's changed document and return it."""
        self._forget(body)
        due_at, due_rank = self.due_time(body) or (None, 0)
        await self.connection.execute(
            "UPDATE stripe_sandbox.objects SET body = $2, due_at = $3, due_rank = $4 WHERE id = $1",
            body["id"],
            body,
            due_at,
            due_rank,
        )
        return body

    async def delete(self, body: Json) -> Json:
        """Replace an object by a document that says that it was deleted, and return that."""
        return await self.save({"id": body["id"], "object": body["object"], "deleted": True})

    async def find_all(self, kind: str, match: Json) -> list[Json]:
        """Return all objects of a kind that contain `match` and are not deleted, oldest first."""
        rows = await self.connection.fetch(
            f"SELECT body FROM stripe_sandbox.objects WHERE {_of_kind(kind)}"  # noqa: S608
            " AND body @> $1 AND NOT body ? 'deleted' ORDER BY seq",
            match,
        )
        return [row["body"] for row in rows]

    async def find_earliest_due(self, until: int) -> Json | None:
        """Return the object that is due first, if that is by `until`."""
        return await self.connection.fetchval(
            "SELECT body FROM stripe_sandbox.objects WHERE due_at <= $1 ORDER BY due_at, due_rank, seq LIMIT 1", until
        )

    async def find_page(self, query: PageQuery) -> tuple[list[Json], bool]:
        """Return one page of objects, newest first, and whether there are more in the direction of paging."""
        conditions, arguments = await self._conditions(query)
        backwards = query.ending_before is not None
        arguments.append(query.limit + 1)
        rows = await self.connection.fetch(
            f"SELECT body FROM stripe_sandbox.objects WHERE {' AND '.join(conditions)}"  # noqa: S608
            f" ORDER BY seq {'ASC' if backwards else 'DESC'} LIMIT ${len(arguments)}",
            *arguments,
        )
        bodies = [row["body"] for row in rows]
        found = bodies[: query.limit]
        return (found[::-1] if backwards else found), len(bodies) > query.limit

    async def _conditions(self, query: PageQuery) -> tuple[list[str], list[Any]]:
        conditions = [_of_kind(query.kind), "body @> $1", "NOT body ? 'deleted'"]
        arguments: list[Any] = [query.match]

        def add(condition: str, argument: Any) -> None:
            arguments.append(argument)
            conditions.append(condition.format(f"${len(arguments)}"))

        for operator, at in query.created.items():
            add(f"(body->>'created')::bigint {operator} {{}}", at)
        for name, values in query.one_of.items():
            add(f"body->>'{name}' = ANY({{}})", list(values))
        for name, pattern in query.like.items():
            add(f"body->>'{name}' LIKE {{}}", pattern)
        for cursor, param, operator in (
            (query.starting_after, "starting_after", "<"),
            (query.ending_before, "ending_before", ">"),
        ):
            if cursor is not None:
                seq = await self.connection.fetchval(
                    "SELECT seq FROM stripe_sandbox.objects WHERE id = $1 AND kind = $2", cursor, query.kind
                )
                if seq is None:
                    raise resource_missing(query.kind, cursor, param, 400)
                add(f"seq {operator} {{}}", seq)
        return conditions, arguments

    async def update_dependents(self, body: Json) -> None:
        """Update the objects that depend on a changed one, such as the invoice of a payment intent."""
        for update in self.dependents.get(body["object"], ()):
            await update(self, body)

    async def webhook_endpoints(self) -> list[Json]:
        """Return the webhook endpoints that are enabled."""
        if "webhook_endpoints" not in self.remembered:
            found = await self.find_all("webhook_endpoint", {"status": "enabled"})
            self.remembered["webhook_endpoints"] = found
        endpoints: list[Json] = self.remembered["webhook_endpoints"]
        return endpoints

    def _forget(self, body: Json) -> None:
        if body["object"] == "webhook_endpoint":
            self.remembered.clear()

    async def setting(self, name: str, default: Any) -> Any:
        """Return a setting of the sandbox itself."""
        value = await self.connection.fetchval("SELECT value FROM stripe_sandbox.settings WHERE name = $1", name)
        return default if value is None else value

    async def set_setting(self, name: str, value: Any) -> None:
        """Store a setting of the sandbox itself."""
        await self.connection.execute(
            "INSERT INTO stripe_sandbox.settings (name, value) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value,
        )


@dataclass
class PageQuery:
    """A page of a list: which objects, and where the page starts.

    `match` must be contained in the object; `created` maps SQL operators to seconds; `one_of` and `like` name top-level
    fields, which are never taken from a request.
    """

    kind: str
    match: Json = field(default_factory=dict[str, Any])
    created: dict[str, int] = field(default_factory=dict[str, int])
    one_of: dict[str, Iterable[str]] = field(default_factory=dict[str, Iterable[str]])
    like: dict[str, str] = field(default_factory=dict[str, str])
    limit: int = DEFAULT_PAGE_SIZE
    starting_after: str | None = None
    ending_before: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_PAGE_SIZE:
            raise invalid_request(f"Invalid integer: limit must be between 1 and {MAX_PAGE_SIZE}", param="limit")
        if self.starting_after is not None and self.ending_before is not None:
            raise invalid_request("You can specify either starting_after or ending_before, not both.")


class Store:
    """Opens transactions. Only one at a time may write, so that no call sees another half done."""

    def __init__(self, pool: Any, base_url: str, dependents: Dependents, due_time: DueTime) -> None:
        self._pool = pool
        self._base_url = base_url
        self._dependents = dependents
        self._due_time = due_time
        self._write_lock = asyncio.Lock()
        # set after each commit that emitted events
        self.events_committed = asyncio.Event()

    @classmethod
    async def open(cls, database_url: str, base_url: str, dependents: Dependents, due_time: DueTime) -> Store:
        """Connect, and create the schema where it is absent."""
        pool: Any = await asyncpg.create_pool(database_url, min_size=1, max_size=6, init=_use_json)
        store = cls(pool, base_url, dependents, due_time)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _SCHEMA_LOCK)
            known_columns = await connection.fetchval(_COUNT_OF_COLUMNS)
            await connection.execute(SCHEMA)
            if 0 < known_columns < _COLUMNS_WITH_DUE_TIME:
                await store._note_due_times(connection)
        return store

    async def _note_due_times(self, connection: Any) -> None:
        """Write down when each object is due, in a schema that was made before that was a column."""
        tx = await self._transaction(connection)
        async for row in connection.cursor("SELECT body FROM stripe_sandbox.objects"):
            if self._due_time(row["body"]) is not None:
                await tx.save(row["body"])

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        """Open a transaction that sees one state of everything and changes nothing."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield await self._transaction(connection)

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        """Open a transaction that commits at the end of the block, unless it raises."""
        async with self._write_lock:
            async with self._pool.acquire() as connection, connection.transaction():
                tx = await self._transaction(connection)
                yield tx
            if tx.emitted_events:
                self.events_committed.set()

    async def _transaction(self, connection: Any) -> Transaction:
        transaction = Transaction(connection, 0, self._base_url, self._dependents, self._due_time)
        offset_seconds = await transaction.setting("clock_offset", 0)
        transaction.now = int(time.time()) + offset_seconds
        return transaction


async def _use_json(connection: Any) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
