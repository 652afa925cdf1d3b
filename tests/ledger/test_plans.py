"""Plans stay index look-ups whatever the statistics say: what PostgreSQL counts is how much it really read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from app.clock import Clock
from app.db.engine import Database, connect
from app.ledger.committer import Committer
from app.ledger.movements import Key, Spend
from tests.ledger.workspace import StoppedClock, Workspace
from tests.support.databases import cloned_url

_HOT = ("ledger_balances", "ledger_transactions", "ledger_entries", "ledger_grants", "ledger_holds")
_WORKSPACES = 120_000

# Many workspaces with a grant, and twenty with a long past, written behind the ledger's back and never analyzed.
_FILL = (
    f"INSERT INTO ledger_balances (workspace_id, available, held, sequence, version, updated_at)"
    f" SELECT gen_random_uuid(), 100, 0, 1, 1, '2030-01-01' FROM generate_series(1, {_WORKSPACES})",
    "INSERT INTO ledger_grants (workspace_id, id, opened_sequence, source, amount, remaining, granted_at)"
    " SELECT workspace_id, gen_random_uuid(), 1, 'PROMOTION', 100, 100, '2030-01-01' FROM ledger_balances WHERE sequence = 1",
    "INSERT INTO ledger_transactions"
    " (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after, description, at, seal)"
    " SELECT workspace_id, 1, 'BONUS', 100, 100, 0, 0, '', '2030-01-01', '' FROM ledger_balances WHERE sequence = 1",
    "INSERT INTO ledger_entries (workspace_id, sequence, line, account, grant_id, amount)"
    " SELECT workspace_id, 1, 0, 'BONUSES', NULL, -100 FROM ledger_balances WHERE sequence = 1"
    " UNION ALL SELECT workspace_id, 1, 1, 'AVAILABLE', id, 100 FROM ledger_grants WHERE remaining = 100",
    "CREATE TEMPORARY TABLE old AS SELECT workspace_id, n FROM generate_series(2, 3001) AS n"
    " CROSS JOIN (SELECT workspace_id FROM ledger_balances WHERE sequence = 1 LIMIT 20) b",
    "INSERT INTO ledger_grants (workspace_id, id, opened_sequence, source, amount, remaining, granted_at, purchase_id)"
    " SELECT workspace_id, gen_random_uuid(), n, 'PURCHASE', 1, 0, '2030-01-01', gen_random_uuid() FROM old",
    "INSERT INTO ledger_transactions (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after,"
    " description, at, seal, purchase_id)"
    " SELECT workspace_id, n, 'PURCHASE', 0, 0, 0, 0, '', '2030-01-01', '', gen_random_uuid() FROM old",
    "INSERT INTO ledger_holds (workspace_id, id, amount, captured, description, expires_at, opened_sequence, closed_sequence)"
    " SELECT workspace_id, gen_random_uuid(), 1, 0, '', '2029-01-01', n, n FROM old",
    "UPDATE ledger_balances SET sequence = 3001, version = 3001 WHERE workspace_id IN (SELECT workspace_id FROM old)",
)


@pytest_asyncio.fixture
async def one_connection(server_url: str) -> AsyncGenerator[Database]:
    """A database used over a single connection, whose plans so outlive what the tables looked like."""
    async with cloned_url(server_url) as url:
        database = Database(connect(url, pool_size=1), Clock())
        yield database
        await database.close()


async def _rows_read(database: Database) -> int:
    """How many rows and index entries of the ledger were read so far, by whatever kind of scan."""
    async with database.read() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
    rows = text(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE 'ledger%')"
        " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE 'ledger%')"
    )
    async with database.read() as session:
        return int((await session.execute(rows)).scalar_one())


async def _fill(database: Database) -> list[UUID]:
    """Fill the tables; returns the workspaces with a long past."""
    async with database.engine.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in _FILL:
            await connection.execute(text(statement))
        return list((await connection.execute(text("SELECT DISTINCT workspace_id FROM old"))).scalars())


async def _life(database: Database, workspaces: list[UUID]) -> int:
    """A bit of everything; returns how many movements."""
    committer = Committer(database)
    for number in range(10):
        for workspace_id in workspaces:
            spend = Spend(
                workspace_id=workspace_id, amount=1, description="Use", key=Key.of("deductCredits", str(number), 1)
            )
            await committer.submit(spend)
            await committer.submit(spend)
    await committer.close()
    for workspace_id in workspaces:
        workspace = Workspace(database, workspace_id, StoppedClock())
        purchase = await workspace.buy(5, expires_at=workspace.in_time(days=1))
        await workspace.capture(await workspace.hold(3), 1)
        await workspace.claw_back(purchase, 5)
        await workspace.settle_due()
        await workspace.balance()
    return len(workspaces) * 26


@pytest.mark.parametrize("vacuumed", [True, False], ids=["vacuumed while empty", "never vacuumed"])
async def test_plans_made_on_empty_tables_do_not_scan_when_these_have_grown(
    one_connection: Database, vacuumed: bool
) -> None:
    # given plans made while the tables were empty, and statistics that will never say otherwise
    async with one_connection.raw() as connection:
        for table in _HOT:
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
            if vacuumed:
                await connection.execute(f"VACUUM (ANALYZE) {table}")
    first = Workspace(one_connection)
    await first.grant(1_000)
    await _life(one_connection, [first.id])
    # when the tables have grown
    workspaces = await _fill(one_connection)
    before = await _rows_read(one_connection)
    movements = await _life(one_connection, workspaces)
    # then nothing is read but what is looked up
    assert (await _rows_read(one_connection) - before) / movements < 10
