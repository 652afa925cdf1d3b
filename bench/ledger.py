"""Charges on credits: 64 callers on one hot workspace, then over 10,000 workspaces.

Side by side: the floor (one connection that sends hand-written batches of 100 and checks nothing), the naive way (a function of the
database that charges once, called by each caller on a connection of its own), and the product's committer.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg

from app.clock import Clock
from app.db import embedded, migrate
from app.db.engine import Database, connect, open_connection
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.ledger.chart_of_accounts import Source
from app.ledger.committer import Committer
from app.ledger.movements import Grant, Key, Posted, Spend
from app.ledger.post_movements import post
from bench.processor import seconds_used
from bench.rounds import Call, Measured, interleaved

_CALLERS = 64
_WORKSPACES = 10_000
_BATCH = 100
_PLENTY = 10**15

# Which workspace is charged next need not be a secret.
_random = random.Random(20)  # noqa: S311

# What one charge writes, as one function: lock, check, and the same rows as the product's.
_CHARGE_ONE = """
CREATE FUNCTION bench_charge(p_workspace uuid, p_amount bigint, p_at timestamptz, p_key text, p_hash bytea) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    b ledger_balances;
    g ledger_grants;
BEGIN
    SELECT * INTO b FROM ledger_balances WHERE workspace_id = p_workspace FOR UPDATE;
    IF b.available < p_amount THEN RETURN NULL; END IF;
    PERFORM FROM ledger_transactions WHERE workspace_id = p_workspace AND idempotency_key = p_key AND scope = 'charge';
    IF FOUND THEN RETURN NULL; END IF;
    SELECT * INTO g FROM ledger_grants WHERE workspace_id = p_workspace AND is_open ORDER BY expires_at, granted_at, id LIMIT 1;
    UPDATE ledger_grants SET remaining = remaining - p_amount WHERE workspace_id = p_workspace AND id = g.id;
    INSERT INTO ledger_transactions (workspace_id, sequence, kind, amount, balance_after, held_delta,
        held_after, description, at, seal, scope, idempotency_key, input_hash)
    VALUES (p_workspace, b.sequence + 1, 'USAGE', -p_amount, b.available - p_amount, 0, b.held, 'Charge', p_at, '', 'charge',
        p_key, p_hash);
    INSERT INTO ledger_entries (workspace_id, sequence, line, account, grant_id, amount)
    VALUES (p_workspace, b.sequence + 1, 0, 'USAGE', NULL, p_amount),
        (p_workspace, b.sequence + 1, 1, 'AVAILABLE', g.id, -p_amount);
    UPDATE ledger_balances SET available = available - p_amount, sequence = sequence + 1, version = version + 1, updated_at = p_at
    WHERE workspace_id = p_workspace;
    RETURN b.sequence + 1;
END $$
"""

_CALL_ONE = "SELECT bench_charge($1, 1, $2, $3, $4)"

# The floor: the rows of a batch and nothing else, in one statement.
_CHARGE_MANY = """
WITH charged AS (
    UPDATE ledger_balances b SET available = b.available - n.count, sequence = b.sequence + n.count, version = b.version + n.count
    FROM (SELECT w AS workspace_id, count(*) AS count FROM unnest($1::uuid[]) AS w GROUP BY w) n
    WHERE b.workspace_id = n.workspace_id
    RETURNING b.workspace_id, b.available, b.sequence, n.count
), numbered AS (
    SELECT c.workspace_id, c.sequence - c.count + i AS sequence, c.available + c.count - i AS balance
    FROM charged c CROSS JOIN LATERAL generate_series(1, c.count) AS i
), transactions AS (
    INSERT INTO ledger_transactions (workspace_id, sequence, kind, amount, balance_after, held_delta,
        held_after, description, at, seal)
    SELECT workspace_id, sequence, 'USAGE', -1, balance, 0, 0, 'Charge', $2, '' FROM numbered
)
INSERT INTO ledger_entries (workspace_id, sequence, line, account, grant_id, amount)
SELECT workspace_id, sequence, line, account, grant_id, amount FROM numbered
CROSS JOIN (VALUES (0, 'USAGE', NULL, 1), (1, 'AVAILABLE', $3::uuid, -1)) AS v (line, account, grant_id, amount)
"""


@asynccontextmanager
async def _prepared(url: str) -> AsyncGenerator[Database]:
    database = Database(connect(url, pool_size=8), Clock())
    try:
        await migrate.upgrade(database.engine)
        async with database.raw() as connection:
            await connection.execute(_CHARGE_ONE)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await open_connection(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _granted(database: Database, count: int) -> list[UUID]:
    """New workspaces with credits in plenty."""
    workspaces = [uuid7() for _ in range(count)]
    for start in range(0, count, 1000):
        grants = [
            Grant(workspace_id=workspace, amount=_PLENTY, source=Source.PROMOTION, description="Bench")
            for workspace in workspaces[start : start + 1000]
        ]
        answers = await transact(database, lambda session, grants=grants: post(session, grants))
        assert all(isinstance(answer, Posted) for answer in answers)
    return workspaces


def _key() -> Key:
    return Key.of("charge", f"{_random.getrandbits(128):032x}", 1)


def _floor(connection: asyncpg.Connection, workspaces: list[UUID]) -> Call:
    grant = uuid7()

    async def call() -> int:
        chosen = _random.choices(workspaces, k=_BATCH)
        await connection.execute(_CHARGE_MANY, chosen, datetime.now(UTC), grant)
        return _BATCH

    return call


def _naive(connection: asyncpg.Connection, workspaces: list[UUID]) -> Call:
    async def call() -> int:
        workspace, key = _random.choice(workspaces), _key()
        await connection.fetchval(_CALL_ONE, workspace, datetime.now(UTC), key.value, key.input_hash)
        return 1

    return call


def _ours(committer: Committer, workspaces: list[UUID]) -> Call:
    async def call() -> int:
        spend = Spend(workspace_id=_random.choice(workspaces), amount=1, description="Charge", key=_key())
        await committer.submit(spend)
        return 1

    return call


async def _compare(url: str, database: Database, count: int, processor: Callable[[], float]) -> dict[str, Measured]:
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(_connection(url)) for _ in range(_CALLERS + 1)]
        committer = Committer(database)
        stack.push_async_callback(committer.close)
        # Each way has workspaces of its own: a workspace that the others wrote to as well would not be a fair start.
        return await interleaved(
            {
                "floor": [_floor(connections[-1], await _granted(database, count))],
                "naive": [
                    _naive(connection, workspaces)
                    for workspaces in [await _granted(database, count)]
                    for connection in connections[:-1]
                ],
                "ours": [
                    _ours(committer, workspaces)
                    for workspaces in [await _granted(database, count)]
                    for _ in range(_CALLERS)
                ],
            },
            processor,
        )


def _print(title: str, results: dict[str, Measured], rate_goal: float, p99_goal: float | None) -> None:
    floor, naive, ours = results["floor"], results["naive"], results["ours"]
    print(f"\n{title}, {_CALLERS} callers")
    for name, result in results.items():
        print(
            f"  {name:6} {result.rate:9,.0f}/s   p99 {result.p99_ms:7.1f} ms   processor {result.cpu_us:7.1f} µs a charge"
        )
    print(f"  rate, ours / naive   {ours.rate / naive.rate:6.1f}   goal at least {rate_goal}")
    print(
        f"  processor, naive / ours {naive.cpu_us / ours.cpu_us:4.1f}   the same, on a machine that is busy otherwise"
    )
    print(f"  rate, ours / floor   {ours.rate / floor.rate:6.2f}")
    if p99_goal is not None:
        print(f"  p99,  ours / naive   {ours.p99_ms / naive.p99_ms:6.2f}   goal at most {p99_goal}")


async def main() -> None:
    """Start a PostgreSQL of its own, with its durability as it ships, measure, and print the ratios."""
    with (
        tempfile.TemporaryDirectory(prefix="cfbench") as folder,
        embedded.running(Path(folder) / "pg", keep_if_found=False) as url,
    ):
        async with _prepared(url) as database:
            postmaster = int((Path(folder) / "pg" / "postmaster.pid").read_text().splitlines()[0])
            processor = partial(seconds_used, postmaster)
            _print("One hot workspace", await _compare(url, database, 1, processor), 12, 0.1)
            _print(f"{_WORKSPACES:,} workspaces", await _compare(url, database, _WORKSPACES, processor), 3.5, None)
