"""What the database itself refuses, whoever asks."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.unit_of_work import transact
from app.ids import uuid7
from tests.ledger.workspace import START, Workspace


async def _refused(workspace: Workspace, statement: str) -> str:
    """The message with which the database refuses the statement; `:w` is the workspace."""
    before = await workspace.history()
    with pytest.raises(DBAPIError) as refused:
        await transact(workspace.database, lambda session: session.execute(text(statement), {"w": workspace.id}))
    assert await workspace.history() == before
    return str(refused.value.orig)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount = amount * 2 WHERE workspace_id = :w",
        "DELETE FROM ledger_entries WHERE workspace_id = :w",
        "UPDATE ledger_transactions SET description = 'Other' WHERE workspace_id = :w",
        "UPDATE ledger_transactions SET idempotency_key = 'k', scope = 's', input_hash = '' WHERE workspace_id = :w",
        "DELETE FROM ledger_transactions WHERE workspace_id = :w",
        "UPDATE ledger_grants SET amount = amount * 2 WHERE workspace_id = :w",
        "UPDATE ledger_grants SET expires_at = NULL WHERE workspace_id = :w",
        "DELETE FROM ledger_grants WHERE workspace_id = :w",
        "UPDATE ledger_holds SET amount = amount * 2 WHERE workspace_id = :w",
        "DELETE FROM ledger_holds WHERE workspace_id = :w",
    ],
)
async def test_what_is_written_is_neither_changed_nor_deleted(workspace: Workspace, statement: str) -> None:
    await workspace.grant(10, expires_at=workspace.in_time(days=1))
    await workspace.hold(4)
    assert "append only" in await _refused(workspace, statement)


@pytest.mark.parametrize("table", ["ledger_entries", "ledger_transactions"])
async def test_what_is_written_is_not_truncated(workspace: Workspace, table: str) -> None:
    await workspace.grant(10)
    with pytest.raises(DBAPIError, match="append only"):
        await transact(workspace.database, lambda session: session.execute(text(f"TRUNCATE {table}")))


async def test_entries_that_do_not_sum_to_zero_are_refused(workspace: Workspace) -> None:
    await workspace.grant(10)
    message = await _refused(
        workspace,
        "INSERT INTO ledger_entries (workspace_id, sequence, line, account, amount)"
        " VALUES (:w, 2, 0, 'USAGE', 5), (:w, 2, 1, 'AVAILABLE', -4)",
    )
    assert "sum to zero" in message


async def test_a_grant_never_has_less_than_nothing_left(workspace: Workspace) -> None:
    await workspace.grant(10)
    assert "remaining" in await _refused(workspace, "UPDATE ledger_grants SET remaining = -1 WHERE workspace_id = :w")


@pytest.mark.parametrize("kind", ["USAGE", "HOLD", "EXPIRY"])
async def test_only_a_clawback_may_take_a_balance_below_zero(workspace: Workspace, kind: str) -> None:
    insert = (
        "INSERT INTO ledger_transactions"
        " (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after, description, at, seal)"
        " VALUES ($1, 1, $2, -1, -1, 0, 0, '', $3, '')"
    )
    async with workspace.database.raw() as connection:
        with pytest.raises(asyncpg.CheckViolationError, match="ledger_transactions_debt_check"):
            await connection.execute(insert, workspace.id, kind, START)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(insert, uuid7(), "CLAWBACK", START)
        await transaction.rollback()
