"""Reading the whole ledger to verify it: every row, in order, a range of workspaces at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import RowMapping, TextClause, text

from app.db.engine import Session

_FIRST = UUID(int=0)
_LAST = UUID(int=2**128 - 1)
_ROWS_A_FETCH = 2000


class Range(NamedTuple):
    """Workspaces above `low`, up to and including `high`."""

    low: UUID
    high: UUID


async def take_snapshot(session: Session) -> None:
    """Let the session, which has not read anything yet, see one read-only snapshot of the database until it ends."""
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    # Rows are wanted in the order of the indexes, however long reading all of them takes.
    for setting in ("statement_timeout = 0", "enable_hashjoin = off", "enable_seqscan = off"):
        await session.execute(text(f"SET LOCAL {setting}"))


async def ranges(session: Session, size: int) -> AsyncIterator[Range]:
    """All possible workspaces, cut into ranges with `size` balances each, so that rows without a balance are in one too."""
    statement = text(
        "SELECT workspace_id FROM ledger_balances WHERE workspace_id > :low ORDER BY workspace_id LIMIT :size"
    )
    low = _FIRST
    while True:
        found = (await session.execute(statement, {"low": low, "size": size})).scalars().all()
        if len(found) < size:
            yield Range(low, _LAST)
            return
        yield Range(low, found[-1])
        low = found[-1]


_BALANCES = text("""
    SELECT workspace_id, available, held, sequence, version FROM ledger_balances
    WHERE workspace_id > :low AND workspace_id <= :high
""")

_GRANTS = text("""
    SELECT workspace_id, id, opened_sequence, source, amount, remaining, granted_at, expires_at, purchase_id FROM ledger_grants
    WHERE workspace_id > :low AND workspace_id <= :high
    ORDER BY workspace_id, opened_sequence, id
""")

# In the order of the history; a transaction without entries comes once, with a null line.
_TRANSACTIONS = text("""
    SELECT t.workspace_id, t.sequence, t.kind, t.amount, t.balance_after, t.held_delta, t.held_after, t.description, t.resource,
        t.purchase_id, t.hold_id, t.at, t.subject_id, t.seal, e.line, e.account, e.grant_id, e.amount AS entry_amount,
        h.amount AS hold_amount, h.captured, h.description AS hold_description, h.expires_at AS hold_expires_at,
        h.opened_sequence, h.closed_sequence, h.resource AS hold_resource, h.subject_id AS hold_subject_id
    FROM ledger_transactions t
    LEFT JOIN ledger_entries e ON e.workspace_id = t.workspace_id AND e.sequence = t.sequence
    LEFT JOIN LATERAL (
        SELECT * FROM ledger_holds l WHERE l.workspace_id = t.workspace_id AND l.id = t.hold_id OFFSET 0
    ) h ON t.hold_id IS NOT NULL
    WHERE t.workspace_id > :low AND t.workspace_id <= :high
    ORDER BY t.workspace_id, t.sequence, e.line
""")

_STRAY_ENTRIES = text("""
    SELECT e.workspace_id, e.sequence, e.line FROM ledger_entries e
    WHERE e.workspace_id > :low AND e.workspace_id <= :high AND NOT EXISTS (
        SELECT FROM ledger_transactions t WHERE t.workspace_id = e.workspace_id AND t.sequence = e.sequence)
    ORDER BY e.workspace_id, e.sequence, e.line LIMIT 1
""")

_STRAY_HOLDS = text("""
    SELECT h.workspace_id, h.id FROM ledger_holds h
    WHERE h.workspace_id > :low AND h.workspace_id <= :high AND NOT EXISTS (
        SELECT FROM ledger_transactions t
        WHERE t.workspace_id = h.workspace_id AND t.sequence = h.opened_sequence AND t.kind = 'HOLD' AND t.hold_id = h.id)
    ORDER BY h.workspace_id, h.id LIMIT 1
""")


async def _all(session: Session, statement: TextClause, within: Range) -> Sequence[RowMapping]:
    return (await session.execute(statement, within._asdict())).mappings().all()


async def balances(session: Session, within: Range) -> Sequence[RowMapping]:
    """The balances of the range."""
    return await _all(session, _BALANCES, within)


async def grants(session: Session, within: Range) -> Sequence[RowMapping]:
    """The grants of the range, in the order they were opened."""
    return await _all(session, _GRANTS, within)


async def stray_entries(session: Session, within: Range) -> Sequence[RowMapping]:
    """The first entry of the range that belongs to no transaction."""
    return await _all(session, _STRAY_ENTRIES, within)


async def stray_holds(session: Session, within: Range) -> Sequence[RowMapping]:
    """The first hold of the range that no transaction opened."""
    return await _all(session, _STRAY_HOLDS, within)


async def transactions(session: Session, within: Range) -> AsyncIterator[list[RowMapping]]:
    """Each transaction of the range, in order: its rows, one for each entry, with the hold it names."""
    result = await session.stream(_TRANSACTIONS.execution_options(yield_per=_ROWS_A_FETCH), within._asdict())
    rows: list[RowMapping] = []
    async for row in result.mappings():
        if rows and (rows[0]["workspace_id"], rows[0]["sequence"]) != (row["workspace_id"], row["sequence"]):
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows
