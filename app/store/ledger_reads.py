"""Reading the ledger: balances, histories, single transactions, grants and holds."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from app.db.reads import KeyedRead, Read


class StoredGrant(NamedTuple):
    """A grant as its row says."""

    workspace_id: UUID
    id: UUID
    source: str
    amount: int
    remaining: int
    granted_at: datetime
    expires_at: datetime | None
    purchase_id: UUID | None


class StoredBalance(NamedTuple):
    """A balance as its row says, with the open grants in spending order. What has expired and was not posted yet is still in it."""

    workspace_id: UUID
    available: int
    held: int
    sequence: int
    version: int
    updated_at: datetime
    grants: tuple[StoredGrant, ...]

    @classmethod
    def of(cls, *columns: object) -> StoredBalance:
        """A balance of its columns, the last of which are the grants."""
        grants = tuple(StoredGrant(*grant) for grant in columns[6])  # pyright: ignore
        return cls(*columns[:6], grants)  # pyright: ignore[reportArgumentType, reportCallIssue]


class StoredTransaction(NamedTuple):
    """A transaction as its row says."""

    workspace_id: UUID
    sequence: int
    kind: str
    amount: int
    balance_after: int
    held_delta: int
    held_after: int
    description: str
    resource: str | None
    purchase_id: UUID | None
    hold_id: UUID | None
    at: datetime
    subject_id: UUID | None


class StoredHold(NamedTuple):
    """A hold as its row says."""

    workspace_id: UUID
    id: UUID
    amount: int
    captured: int
    description: str
    expires_at: datetime
    is_open: bool


_TRANSACTION: Final = ", ".join(f"t.{name}" for name in StoredTransaction._fields)
_GRANT: Final = ", ".join(f"g.{name}" for name in StoredGrant._fields)

BALANCES: Final = KeyedRead[UUID, StoredBalance](
    "balance",
    f"""SELECT b.workspace_id, b.available, b.held, b.sequence, b.version, b.updated_at, ARRAY(
            SELECT o FROM (
                SELECT {_GRANT} FROM ledger_grants g WHERE g.workspace_id = b.workspace_id AND g.is_open
                ORDER BY g.expires_at, g.granted_at, g.id
            ) o
        ) AS grants
        FROM ledger_balances b WHERE b.workspace_id = ANY ($1::uuid[])""",
    StoredBalance.of,
    lambda balance: balance.workspace_id,
)
"""Balances by workspace, of those that ever moved."""


@cache
def history_read(
    *, is_of_kind: bool = False, is_of_usage: bool = False, has_start: bool = False, has_end: bool = False
) -> Read[StoredTransaction]:
    """The newest transactions of a workspace; its parameters are the workspace, how many at most, the number that they stay below,
    and then those that are asked for: the kind, at or after which time, before which time.
    """
    asked = (
        # usage is not in the index of kinds, which PostgreSQL takes only where that is said without a parameter
        *(("t.kind = ${}::text" if is_of_usage else "t.kind <> 'USAGE' AND t.kind = ${}::text",) if is_of_kind else ()),
        *(("t.at >= ${}::timestamptz",) if has_start else ()),
        *(("t.at < ${}::timestamptz",) if has_end else ()),
    )
    conditions = [condition.format(number) for number, condition in enumerate(asked, 4)]
    return Read(
        f"history_{is_of_kind:d}{is_of_usage:d}{has_start:d}{has_end:d}",
        f"SELECT {_TRANSACTION} FROM ledger_transactions t WHERE "
        + " AND ".join(("t.workspace_id = $1::uuid", "t.sequence < $3::bigint", *conditions))
        + " ORDER BY t.sequence DESC LIMIT $2::bigint",
        StoredTransaction,
    )


class KeyedTransaction(NamedTuple):
    """A transaction that was made with an idempotency key, and of which input."""

    input_hash: bytes
    transaction: StoredTransaction

    @classmethod
    def of(cls, *columns: object) -> KeyedTransaction:
        """A transaction behind its input's hash."""
        return cls(columns[0], StoredTransaction(*columns[1:]))  # pyright: ignore


KEYED: Final = Read(
    "transaction_of_key",
    f"SELECT t.input_hash, {_TRANSACTION} FROM ledger_transactions t WHERE t.workspace_id = $1::uuid AND t.scope = $2::text"
    " AND t.idempotency_key = $3::text AND t.at >= $4::timestamptz",
    KeyedTransaction.of,
)
"""The transaction that an idempotency key (its scope and value) made in a workspace at or after a time."""

TRANSACTIONS: Final = KeyedRead[tuple[UUID, int], StoredTransaction](
    "transactions",
    f"SELECT {_TRANSACTION} FROM unnest($1::uuid[], $2::bigint[]) k (workspace_id, sequence)"
    " JOIN ledger_transactions t ON t.workspace_id = k.workspace_id AND t.sequence = k.sequence",
    StoredTransaction,
    lambda transaction: (transaction.workspace_id, transaction.sequence),
)
"""Transactions by (workspace, number)."""

CREDITED: Final = KeyedRead[tuple[UUID, UUID], StoredTransaction](
    "transactions_of_purchases",
    f"SELECT {_TRANSACTION} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, purchase_id)"
    " JOIN ledger_transactions t ON t.workspace_id = k.workspace_id AND t.purchase_id = k.purchase_id"
    " AND t.kind IN ('PURCHASE', 'AUTO_RECHARGE')",
    StoredTransaction,
    lambda transaction: (transaction.workspace_id, transaction.purchase_id or UUID(int=0)),
)
"""The transactions that credited purchases, by (workspace, purchase)."""

GRANTS: Final = KeyedRead[tuple[UUID, UUID], StoredGrant](
    "grants",
    f"SELECT {_GRANT} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN ledger_grants g ON g.workspace_id = k.workspace_id AND g.id = k.id",
    StoredGrant,
    lambda grant: (grant.workspace_id, grant.id),
)
"""Grants by (workspace, id), spent ones too."""

HOLDS: Final = KeyedRead[tuple[UUID, UUID], StoredHold](
    "holds",
    "SELECT h.workspace_id, h.id, h.amount, h.captured, h.description, h.expires_at, h.closed_sequence IS NULL AS is_open"
    " FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN ledger_holds h ON h.workspace_id = k.workspace_id AND h.id = k.id",
    StoredHold,
    lambda hold: (hold.workspace_id, hold.id),
)
"""Holds by (workspace, id), closed ones too."""
