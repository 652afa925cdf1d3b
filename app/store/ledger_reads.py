"""Reading the ledger: balances, histories, single transactions, grants and holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Executable, RowMapping, select, text

from app.db.engine import Session
from app.db.tables.ledger import LedgerGrantRow, LedgerHoldRow, LedgerTransactionRow

_BALANCES = text("""
    SELECT b.workspace_id, b.available, b.held, b.version, b.updated_at,
        g.id, g.source, g.amount, g.remaining, g.granted_at, g.expires_at, g.purchase_id
    FROM ledger_balances b
    LEFT JOIN ledger_grants g ON g.workspace_id = b.workspace_id AND g.is_open
    WHERE b.workspace_id = ANY (:workspace_ids)
    ORDER BY b.workspace_id, g.expires_at, g.granted_at, g.id
""")

_Transaction = LedgerTransactionRow.__table__.c
_TRANSACTION = (
    _Transaction.workspace_id,
    _Transaction.sequence,
    _Transaction.kind,
    _Transaction.amount,
    _Transaction.balance_after,
    _Transaction.held_delta,
    _Transaction.held_after,
    _Transaction.description,
    _Transaction.resource,
    _Transaction.purchase_id,
    _Transaction.hold_id,
    _Transaction.at,
)
_Grant = LedgerGrantRow.__table__.c
_Hold = LedgerHoldRow.__table__.c


async def _rows(session: Session, statement: Executable) -> Sequence[RowMapping]:
    return (await session.execute(statement)).mappings().all()


async def balances(session: Session, workspace_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The balances there are, a row for each open grant in spending order, or one row with a null `id` where none is open."""
    return (await session.execute(_BALANCES, {"workspace_ids": list(workspace_ids)})).mappings().all()


async def history(
    session: Session,
    workspace_id: UUID,
    *,
    limit: int,
    before_sequence: int | None,
    kind: str | None,
    start: datetime | None,
    end: datetime | None,
) -> Sequence[RowMapping]:
    """At most `limit` transactions, newest first, at or after `start` and before `end`."""
    statement = select(*_TRANSACTION).where(_Transaction.workspace_id == workspace_id)
    if before_sequence is not None:
        statement = statement.where(_Transaction.sequence < before_sequence)
    if kind is not None:
        statement = statement.where(_Transaction.kind == kind)
    if start is not None:
        statement = statement.where(_Transaction.at >= start)
    if end is not None:
        statement = statement.where(_Transaction.at < end)
    return await _rows(session, statement.order_by(_Transaction.sequence.desc()).limit(limit))


async def transactions(session: Session, workspace_id: UUID, sequences: Sequence[int]) -> Sequence[RowMapping]:
    """The transactions with these numbers."""
    return await _rows(
        session,
        select(*_TRANSACTION).where(_Transaction.workspace_id == workspace_id, _Transaction.sequence.in_(sequences)),
    )


async def keyed(
    session: Session, workspace_id: UUID, scope: str, idempotency_key: str, *, since: datetime
) -> RowMapping | None:
    """The transaction that an idempotency key made, at or after a time, with its `input_hash`."""
    rows = await _rows(
        session,
        select(*_TRANSACTION, _Transaction.input_hash).where(
            _Transaction.workspace_id == workspace_id,
            _Transaction.idempotency_key == idempotency_key,
            _Transaction.scope == scope,
            _Transaction.at >= since,
        ),
    )
    return rows[0] if rows else None


async def purchase_transactions(
    session: Session, workspace_id: UUID, purchase_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """The transactions that credited these purchases."""
    return await _rows(
        session,
        select(*_TRANSACTION).where(
            _Transaction.workspace_id == workspace_id,
            _Transaction.purchase_id.in_(purchase_ids),
            _Transaction.kind.in_(("PURCHASE", "AUTO_RECHARGE")),
        ),
    )


async def grants(session: Session, workspace_id: UUID, grant_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The grants with these ids, spent ones too."""
    return await _rows(
        session,
        select(
            _Grant.id,
            _Grant.source,
            _Grant.amount,
            _Grant.remaining,
            _Grant.granted_at,
            _Grant.expires_at,
            _Grant.purchase_id,
        ).where(_Grant.workspace_id == workspace_id, _Grant.id.in_(grant_ids)),
    )


async def holds(session: Session, workspace_id: UUID, hold_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The holds with these ids, closed ones too."""
    return await _rows(
        session,
        select(
            _Hold.workspace_id,
            _Hold.id,
            _Hold.amount,
            _Hold.captured,
            _Hold.description,
            _Hold.expires_at,
            _Hold.closed_sequence.is_(None).label("is_open"),
        ).where(_Hold.workspace_id == workspace_id, _Hold.id.in_(hold_ids)),
    )
