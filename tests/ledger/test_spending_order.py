"""The order in which grants are spent: written in Python and in SQL, and the same in each of these places."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest_asyncio
from sqlalchemy import insert, select, text

from app.db.engine import Database, Session
from app.db.reads import read_many
from app.db.tables.ledger import LedgerBalanceRow, LedgerEntryRow, LedgerGrantRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.ledger.chart_of_accounts import Account, Source
from app.ledger.grants import LockedGrant, in_spending_order
from app.ledger.movements import Spend
from app.ledger.post_movements import IndexedMovement
from app.ledger.spend_batches import split_spends
from app.store import ledger_posting as ledger_posting_store
from app.store import ledger_reads as ledger_read_store
from tests.ledger.workspace import START, StoppedClock
from tests.support.databases import cloned_database

PLACES = """the spending order is written in several places, and they disagree. Change all of them together:
- `in_spending_order` in app/ledger/grants.py
- the SQL function `ledger_spend_by_subject`, newest in migrations/versions/0019_usage_sql/spend.sql (two ORDER BYs)
- the SQL function `ledger_charge_by_subject`, newest in migrations/versions/0019_usage_sql/charge.sql
- `_BALANCES` in app/store/ledger_reads.py
- the index `ledger_grants_spending_idx` in app/db/tables/ledger.py, which serves these statements
A function of the database is replaced by a new migration; migrations/README.md says how."""

# Every combination, so that each part of the order decides between some pair of them; fewer than the function of spends looks at.
_GRANTS = [
    LockedGrant(uuid7(), Source.PROMOTION, 1, START - timedelta(days=age), expires_at, None)
    for age, expires_at in itertools.product((1, 3, 2), (None, START + timedelta(days=2), START + timedelta(days=1)))
    for _ in range(1 + (age == 2))
]
_EXPECTED = [grant.id for grant in in_spending_order(_GRANTS)]


@pytest_asyncio.fixture
async def database(server_url: str) -> AsyncGenerator[Database]:
    """A database of its own: grants that no transaction opened would fail the proof of a shared one."""
    async with cloned_database(server_url) as cloned:
        yield Database(cloned.engine, StoppedClock())


async def _workspace(database: Database) -> UUID:
    """A workspace with all of the grants, stored in the order of their ids."""
    workspace_id = uuid7()
    balance = {"workspace_id": workspace_id, "available": len(_GRANTS), "held": 0, "sequence": 0, "version": 0}
    rows = [
        {"workspace_id": workspace_id, "id": grant.id, "opened_sequence": number, "source": grant.source, "amount": 1}
        | {"remaining": 1, "granted_at": grant.granted_at, "expires_at": grant.expires_at, "purchase_id": None}
        for number, grant in enumerate(_GRANTS, 1)
    ]

    async def store(session: Session) -> None:
        await session.execute(insert(LedgerBalanceRow), [balance | {"updated_at": START}])
        await session.execute(insert(LedgerGrantRow), rows)

    await transact(database, store)
    return workspace_id


async def _spent(database: Database, workspace_id: UUID, *amounts: int) -> Sequence[UUID]:
    """The grants that spends of these amounts took from, in turn, posted by the database's functions alone."""
    for amount in amounts:
        spend = Spend(workspace_id=workspace_id, amount=amount, description="Use")
        batch, _ = split_spends([[IndexedMovement(0, spend)]], START)
        assert batch is not None
        rows = await transact(
            database, lambda session, batch=batch: ledger_posting_store.spend(session, batch.arguments)
        )
        assert len(rows) == 1, "the spend was left for the exact way"
    entries = select(LedgerEntryRow.grant_id).where(
        LedgerEntryRow.workspace_id == workspace_id, LedgerEntryRow.account == Account.AVAILABLE
    )
    async with database.read() as session:
        found = await session.scalars(entries.order_by(LedgerEntryRow.sequence, LedgerEntryRow.line))
        return cast("list[UUID]", found.all())


async def test_a_spend_that_one_grant_covers_takes_the_grant_that_python_would_take(database: Database) -> None:
    workspace_id = await _workspace(database)

    assert await _spent(database, workspace_id, *[1] * len(_GRANTS)) == _EXPECTED, PLACES


async def test_a_spend_over_several_grants_takes_them_in_the_order_that_python_would(database: Database) -> None:
    workspace_id = await _workspace(database)

    assert await _spent(database, workspace_id, 2, 4, len(_GRANTS) - 6) == _EXPECTED, PLACES


async def test_a_balance_lists_its_grants_in_the_order_in_which_they_are_spent(database: Database) -> None:
    workspace_id = await _workspace(database)

    [balance] = await read_many(database, ledger_read_store.BALANCES, [workspace_id])

    assert [grant.id for grant in balance.grants] == _EXPECTED, PLACES


async def test_the_index_for_spending_has_the_order_in_which_grants_are_spent(database: Database) -> None:
    async with database.read() as session:
        definition = await session.scalar(text("SELECT pg_get_indexdef('ledger_grants_spending_idx'::regclass)"))

    assert "(workspace_id, expires_at, granted_at, id)" in (definition or ""), PLACES
