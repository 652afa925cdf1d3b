"""Whatever is altered by hand, behind the back of every guard, is found and named."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from app.db.engine import Database
from app.ledger.movements import Key
from app.ledger.verify import verify
from tests.ledger.workspace import Workspace, proof
from tests.support.databases import cloned_database

_TABLES = ("ledger_balances", "ledger_transactions", "ledger_entries", "ledger_grants", "ledger_holds")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scratch(server_url: str) -> AsyncGenerator[Database]:
    """A database for this file alone, since what it does to the ledger would fail every other proof."""
    async with cloned_database(server_url) as cloned:
        yield cloned


@pytest_asyncio.fixture
async def ledger(scratch: Database) -> AsyncGenerator[Database]:
    """An empty ledger."""
    yield scratch
    async with scratch.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in _TABLES:
            await connection.execute(text(f"DELETE FROM {table}"))


async def _eventful(database: Database) -> Workspace:
    """A workspace whose history has every kind of transaction, an open hold and an open grant."""
    workspace = Workspace(database)
    await workspace.grant(100, expires_at=workspace.in_time(days=1), key=Key.of("grantCredits", "k", 100))
    purchase = await workspace.buy(50)
    await workspace.spend(7, subject_id=UUID(int=7), key=Key.of("deductCredits", "k", 7))
    await workspace.spend(100)
    captured = await workspace.hold(10, resource="runs", subject_id=UUID(int=8))
    released = await workspace.hold(5)
    await workspace.capture(captured, 4)
    await workspace.release(released)
    await workspace.claw_back(purchase, 20)
    await workspace.reinstate(purchase, 20)
    await workspace.grant(9, expires_at=workspace.in_time(days=2))
    workspace.wait(days=2)
    await workspace.settle_due()
    await workspace.hold(3)
    return workspace


async def _alter(database: Database, statement: str, workspace: Workspace) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        altered = await connection.execute(text(statement), {"w": workspace.id})
    assert altered.rowcount >= 1


async def test_an_untouched_ledger_is_sound(ledger: Database) -> None:
    workspace = await _eventful(ledger)
    report = await proof(ledger)
    assert report.is_sound, str(report.fault)
    assert (report.workspaces, report.transactions) == (1, len(await workspace.history()))


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        # entries
        ("UPDATE ledger_entries SET amount = amount + 1 WHERE sequence = 3 AND line = 0", "transaction 3"),
        ("UPDATE ledger_entries SET amount = amount * 2 WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_entries SET account = 'EXPIRY' WHERE sequence = 3 AND line = 0", "entry 0 of transaction 3"),
        ("UPDATE ledger_entries SET grant_id = gen_random_uuid() WHERE sequence = 3 AND line = 1", "entry 1 of"),
        ("UPDATE ledger_entries SET sequence = 99 WHERE sequence = 3", "entry 0 of transaction 99"),
        ("UPDATE ledger_entries SET line = line + 1 WHERE sequence = 4 AND line = 2", None),
        ("UPDATE ledger_entries SET line = 9 WHERE sequence = 4 AND line = 0", "entry 0 of transaction 4"),
        ("DELETE FROM ledger_entries WHERE sequence = 3", "transaction 3"),
        # transactions
        ("UPDATE ledger_transactions SET amount = amount - 1 WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET balance_after = balance_after + 1 WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET held_delta = held_delta + 1 WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET held_after = held_after + 1 WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET kind = 'ADJUSTMENT' WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET kind = 'BONUS' WHERE sequence = 2", "grant"),
        ("UPDATE ledger_transactions SET kind = 'AUTO_RECHARGE' WHERE sequence = 2", "grant"),
        ("UPDATE ledger_transactions SET description = 'Other' WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET resource = NULL WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET subject_id = NULL WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET subject_id = gen_random_uuid() WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET subject_id = gen_random_uuid() WHERE sequence = 4", "transaction 4"),
        ("UPDATE ledger_transactions SET subject_id = NULL WHERE kind = 'CAPTURE'", "hold"),
        ("UPDATE ledger_transactions SET subject_id = NULL, resource = NULL WHERE kind = 'CAPTURE'", "transaction"),
        ("UPDATE ledger_transactions SET subject_id = gen_random_uuid() WHERE kind = 'CAPTURE'", "hold"),
        ("UPDATE ledger_transactions SET resource = 'other' WHERE kind = 'CAPTURE'", "hold"),
        ("UPDATE ledger_transactions SET subject_id = gen_random_uuid() WHERE kind = 'PURCHASE'", "transaction 2"),
        ("UPDATE ledger_transactions SET at = at + interval '1 second' WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET purchase_id = gen_random_uuid() WHERE kind = 'CLAWBACK'", "transaction"),
        ("UPDATE ledger_transactions SET hold_id = gen_random_uuid() WHERE kind = 'RELEASE'", "hold"),
        ("UPDATE ledger_transactions SET seal = '' WHERE sequence = 3", "transaction 3"),
        ("UPDATE ledger_transactions SET sequence = 99 WHERE sequence = 3", "entry 0 of transaction 3"),
        ("DELETE FROM ledger_transactions WHERE sequence = 3", "entry 0 of transaction 3"),
        # grants
        ("UPDATE ledger_grants SET remaining = remaining - 1 WHERE is_open", "grant"),
        ("UPDATE ledger_grants SET amount = amount + 1 WHERE opened_sequence = 1", "grant"),
        ("UPDATE ledger_grants SET source = 'WELCOME_BONUS' WHERE opened_sequence = 1", "transaction 1"),
        (
            "UPDATE ledger_grants SET expires_at = expires_at + interval '1 day' WHERE opened_sequence = 1",
            "transaction 1",
        ),
        ("UPDATE ledger_grants SET granted_at = granted_at - interval '1 day' WHERE opened_sequence = 1", "grant"),
        ("UPDATE ledger_grants SET purchase_id = gen_random_uuid() WHERE opened_sequence = 2", "grant"),
        ("UPDATE ledger_grants SET opened_sequence = 99 WHERE opened_sequence = 1", "transaction 1"),
        ("UPDATE ledger_grants SET opened_sequence = 2 WHERE opened_sequence = 1", "grant"),
        ("UPDATE ledger_grants SET id = gen_random_uuid() WHERE opened_sequence = 1", "entry 1 of transaction 1"),
        ("DELETE FROM ledger_grants WHERE opened_sequence = 1", "transaction 1"),
        # holds
        ("UPDATE ledger_holds SET amount = amount + 1", "hold"),
        ("UPDATE ledger_holds SET captured = captured + 1 WHERE captured > 0", "hold"),
        ("UPDATE ledger_holds SET description = 'Other'", "hold"),
        ("UPDATE ledger_holds SET resource = 'other' WHERE closed_sequence IS NULL", "hold"),
        ("UPDATE ledger_holds SET subject_id = gen_random_uuid() WHERE closed_sequence IS NULL", "hold"),
        ("UPDATE ledger_holds SET subject_id = NULL", "hold"),
        ("UPDATE ledger_holds SET expires_at = expires_at + interval '1 day'", "transaction"),
        ("UPDATE ledger_holds SET opened_sequence = 99 WHERE closed_sequence IS NULL", "hold"),
        ("UPDATE ledger_holds SET closed_sequence = 99 WHERE closed_sequence IS NULL", "hold"),
        ("UPDATE ledger_holds SET closed_sequence = NULL, captured = 0", "hold"),
        ("DELETE FROM ledger_holds", "hold"),
        # balances
        ("UPDATE ledger_balances SET available = available + 1", "balance"),
        ("UPDATE ledger_balances SET held = held + 1", "balance"),
        ("UPDATE ledger_balances SET sequence = sequence - 1", "balance"),
        ("DELETE FROM ledger_balances", "balance"),
    ],
)
async def test_an_altered_row_is_found_and_named(ledger: Database, statement: str, row: str | None) -> None:
    workspace = await _eventful(ledger)
    await _eventful(ledger)
    clause = " AND" if "WHERE" in statement else " WHERE"
    await _alter(ledger, f"{statement}{clause} workspace_id = :w", workspace)
    report = await proof(ledger)
    if row is None:
        # moving a line without changing the order of lines changes nothing that the ledger says
        assert report.is_sound
        return
    assert report.fault is not None
    assert report.fault.workspace_id == workspace.id
    assert report.fault.row.startswith(row), str(report.fault)


async def test_a_consistent_forgery_of_one_transaction_is_found(ledger: Database) -> None:
    workspace = await _eventful(ledger)
    for statement in (
        "UPDATE ledger_entries SET amount = amount * 2 WHERE sequence = 3 AND workspace_id = :w",
        "UPDATE ledger_transactions SET amount = -14, balance_after = balance_after - 7 WHERE sequence = 3 AND workspace_id = :w",
    ):
        await _alter(ledger, statement, workspace)
    report = await proof(ledger)
    assert report.fault is not None
    assert report.fault.row == "transaction 3"


async def test_workspaces_are_proved_range_by_range(ledger: Database) -> None:
    for _ in range(5):
        await Workspace(ledger).grant(1)
    async with ledger.read() as session:
        report = await verify(session, workspaces_at_a_time=2)
    assert (report.workspaces, report.transactions, report.fault) == (5, 5, None)
