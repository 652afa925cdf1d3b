"""Usage: counting a thousand events a call, each exactly once.

Side by side: the floor (COPY of the same rows into a table without a key, which counts nothing and knows no duplicate), single
rows (a statement an event that does what ours does for one), the product's statement, all of recording (looking up, counting,
publishing), and the same where credits pay for everything. Every tenth event is a duplicate. Then all of it over HTTP
(`bench.usage_http`), and the statement's rate with ten thousand and with ten million events kept.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from app.catalog import Catalog, load_catalog
from app.clock import Clock
from app.db import embedded, migrate
from app.db.engine import Database, connect, open_connection
from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant
from app.ledger.post_movements import post
from app.metering.ingest import record_usage
from app.metering.usage_events import MOST_EVENTS, WARN_AT, UsageEvent
from app.store import usage_ingest as usage_ingest_store
from app.store.usage_ingest import CountedGroup, EventToCount, NewState
from bench.processor import seconds_used
from bench.rounds import Call, Measured, interleaved
from bench.usage_http import compare_http

_WORKSPACES: Final = 50
_RESOURCES: Final = ("sessions", "events", "enrichments")
_DUPLICATES: Final = 10
# so little that nobody comes near a limit
_QUANTITY: Final = Decimal("0.000001")
_FEW, _MANY = 10_000, 10_000_000
_PLENTY: Final = 10**15
_GOAL_TIMES_SINGLE: Final = 12.0
_GOAL_SHARE_OF_COPY: Final = 0.45
_CATALOG: Final = Path(__file__).parents[1] / "catalogs" / "analytics.toml"
# its fallback plan includes nothing: credits pay for all
_PAID_CATALOG: Final = _CATALOG.with_name("compute.toml")

# Which event comes next need not be a secret.
_random = random.Random(20)  # noqa: S311

_BARE: Final = """
CREATE TABLE bench_events (workspace_id uuid, event_id text, resource text, quantity numeric, occurred_at timestamptz)
"""
_SINGLE: Final = """
WITH inserted AS (
    INSERT INTO usage_events (workspace_id, event_id, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING workspace_id
), counted AS (
    INSERT INTO usage_counters AS c
        (workspace_id, period_start, resource, period_end, used, allowance, price, overage, unpaid, owed, charged)
    SELECT workspace_id, $4, $5, $6, $7::numeric, NULL, NULL, 0, 0, 0, 0 FROM inserted
    ON CONFLICT (workspace_id, period_start, resource) DO UPDATE SET used = c.used + excluded.used
    RETURNING workspace_id
), days AS (
    INSERT INTO usage_days AS d (workspace_id, period_start, resource, day, used)
    SELECT workspace_id, $4, $5, $8, $7::numeric FROM counted
    ON CONFLICT (workspace_id, period_start, resource, day) DO UPDATE SET used = d.used + excluded.used
)
UPDATE usage_states u SET version = u.version + 1 FROM counted c WHERE u.workspace_id = c.workspace_id
"""
_FILL: Final = """
INSERT INTO usage_events (workspace_id, event_id, received_at)
SELECT ($1::uuid[])[1 + n % array_length($1::uuid[], 1)], md5(n::text), $2 FROM generate_series($3::bigint, $4::bigint) n
"""


async def main() -> None:
    """Start a PostgreSQL of its own, with its durability as it ships, measure, and print the ratios."""
    with (
        tempfile.TemporaryDirectory(prefix="cfbench") as folder,
        embedded.running(Path(folder) / "pg", keep_if_found=False) as url,
    ):
        async with _prepared(url) as database:
            postmaster = int((Path(folder) / "pg" / "postmaster.pid").read_text().splitlines()[0])
            processor = partial(seconds_used, postmaster)
            await _keep(database, 1, _FEW)
            few = await _compare(url, database, processor)
            _print(few)
            workspaces = await _workspaces(database)
            await compare_http(url, database, _CATALOG, lambda: _batch(workspaces))
            await _keep(database, _FEW + 1, _MANY)
            many = await _compare(url, database, processor)
            kept = many["ours"].rate / many["single"].rate / (few["ours"].rate / few["single"].rate)
            print(f"\nWith {_MANY:,} events kept instead of {_FEW:,}")
            print(f"  ours {many['ours'].rate:,.0f}/s; ours / COPY {many['ours'].rate / many['copy'].rate:.2f}")
            print(f"  rate, many / few      {many['ours'].rate / few['ours'].rate:6.2f}")
            print(f"  the same, beside what single rows lost {kept:6.2f}")


@asynccontextmanager
async def _prepared(url: str) -> AsyncGenerator[Database]:
    database = Database(connect(url, pool_size=8), Clock())
    try:
        await migrate.upgrade(database.engine)
        async with database.raw() as connection:
            await connection.execute(_BARE)
        yield database
    finally:
        await database.close()


async def _workspaces(database: Database) -> list[UUID]:
    ids = [uuid4() for _ in range(_WORKSPACES)]
    now = datetime.now(UTC)
    async with database.raw() as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, kind, name, handle, created_by, created_at, version)"
            " SELECT w, 'ORGANIZATION', 'Bench', w::text, w, $2, 1 FROM unnest($1::uuid[]) w",
            ids,
            now,
        )
        await connection.execute("INSERT INTO usage_states (workspace_id, version) SELECT unnest($1::uuid[]), 0", ids)
    return ids


async def _grant(database: Database, workspaces: list[UUID]) -> None:
    grants = [
        Grant(workspace_id=each, amount=_PLENTY, source=Source.PROMOTION, description="Bench") for each in workspaces
    ]
    await transact(database, lambda session: post(session, grants))


async def _keep(database: Database, first: int, last: int) -> None:
    """Events of other calls that are still known."""
    ids = await _workspaces(database)
    async with database.raw() as connection:
        step = 500_000
        for start in range(first, last + 1, step):
            await connection.execute(_FILL, ids, datetime.now(UTC), start, min(start + step - 1, last), timeout=600)
        await connection.execute("VACUUM ANALYZE usage_events", timeout=600)


async def _compare(url: str, database: Database, processor: partial[float]) -> dict[str, Measured]:
    async with AsyncExitStack() as stack:
        bare, single = [await stack.enter_async_context(_connection(url)) for _ in range(2)]
        workspaces = [await _workspaces(database) for _ in range(5)]
        await _grant(database, workspaces[4])
        return await interleaved(
            {
                "copy": [_copy(bare, workspaces[0])],
                "single": [_single(single, workspaces[1])],
                "ours": [_ours(database, workspaces[2])],
                "recording": [_recording(database, load_catalog(_CATALOG), workspaces[3])],
                "paying": [_recording(database, load_catalog(_PAID_CATALOG), workspaces[4])],
            },
            processor,
        )


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await open_connection(url)
    try:
        yield connection
    finally:
        await connection.close()


def _batch(workspaces: list[UUID], resources: Sequence[str] = _RESOURCES) -> list[tuple[UUID, str, str, Decimal]]:
    """A call's events: (workspace, event id, resource, quantity), some of them twice."""
    fresh = [
        (_random.choice(workspaces), f"{_random.getrandbits(128):032x}", _random.choice(resources), _QUANTITY)
        for _ in range(MOST_EVENTS * (_DUPLICATES - 1) // _DUPLICATES)
    ]
    return fresh + _random.sample(fresh, MOST_EVENTS - len(fresh))


def _copy(connection: asyncpg.Connection, workspaces: list[UUID]) -> Call:
    async def call() -> int:
        now = datetime.now(UTC)
        rows = [(*event, now) for event in _batch(workspaces)]
        await connection.copy_records_to_table("bench_events", records=rows)
        return len(rows)

    return call


def _single(connection: asyncpg.Connection, workspaces: list[UUID]) -> Call:
    async def call() -> int:
        now = datetime.now(UTC)
        start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        # a tenth of a call, or rounds of two seconds would hold none
        events = _batch(workspaces)[: MOST_EVENTS // 10]
        for workspace_id, event_id, resource, quantity in events:
            end = start + timedelta(days=31)
            day = now.date()
            await connection.execute(_SINGLE, workspace_id, event_id, now, start, resource, end, quantity, day)
        return len(events)

    return call


def _ours(database: Database, workspaces: list[UUID]) -> Call:
    """The statement alone, with its columns made."""

    async def call() -> int:
        now = datetime.now(UTC)
        start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = start + timedelta(days=31)
        events, groups = dict[tuple[UUID, str], EventToCount](), dict[tuple[UUID, str], int]()
        counted: list[CountedGroup] = []
        for workspace_id, event_id, resource, quantity in _batch(workspaces):
            place = groups.setdefault((workspace_id, resource), len(groups) + 1)
            if place > len(counted):
                counted.append(CountedGroup(workspace_id, resource, start, end, None, None, False))
            events[workspace_id, event_id] = EventToCount(place, event_id, quantity, now, None)
        states = [NewState(each, "bench", end, None) for each in {group.workspace_id for group in counted}]
        await transact(
            database,
            lambda session: usage_ingest_store.count_events(
                session, list(events.values()), counted, states, subjects=[], warn_at=WARN_AT, asked=[]
            ),
        )
        return MOST_EVENTS

    return call


def _recording(database: Database, catalog: Catalog, workspaces: list[UUID]) -> Call:
    resources = [resource.code for resource in catalog.resources if not resource.is_gauge]

    async def call() -> int:
        events = [
            UsageEvent(workspace_id, None, resource, quantity, event_id)
            for workspace_id, event_id, resource, quantity in _batch(workspaces, resources)
        ]
        recorded = await record_usage(database, catalog, events)
        assert recorded.accepted + recorded.duplicates == len(events)
        return len(events)

    return call


def _print(results: dict[str, Measured]) -> None:
    copy, single, ours = results["copy"], results["single"], results["ours"]
    print(f"\nA thousand events a call, over {_WORKSPACES} workspaces")
    for name, result in results.items():
        print(f"  {name:9} {result.rate:9,.0f}/s   processor {result.cpu_us:7.1f} µs an event")
    print(f"  rate, ours / single   {ours.rate / single.rate:6.1f}   goal at least {_GOAL_TIMES_SINGLE}")
    print(f"  rate, ours / COPY     {ours.rate / copy.rate:6.2f}   goal at least {_GOAL_SHARE_OF_COPY}")
    for name in ("recording", "paying"):
        print(f"  rate, {name} / COPY {results[name].rate / copy.rate:5.2f}")
