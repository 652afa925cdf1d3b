"""Reading the ledger: balances, histories, single transactions, grants and holds. Amounts count the credit unit's smallest step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.db.reads import Reads, all_in, rows_in
from app.errors import IdempotencyConflict
from app.idempotency import KEYS_KEPT
from app.ledger.chart_of_accounts import Kind, Source
from app.ledger.movements import HoldState, Key, Posted, Transaction
from app.money import MAX_STEPS
from app.store import ledger_reads as ledger_read_store
from app.store.ledger_reads import StoredBalance, StoredGrant, StoredTransaction


@dataclass(frozen=True, slots=True)
class GrantState:
    """A grant as it is now. `expires_at` None: never."""

    id: UUID
    source: Source
    amount: int
    remaining: int
    granted_at: datetime
    expires_at: datetime | None
    purchase_id: UUID | None


class NextExpiry(NamedTuple):
    """How much expires next, and when."""

    amount: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """What a workspace has. `available` below zero is a debt; `grants` are those that can be spent, in spending order.

    `sequence` is the number of the last transaction that is in it. A workspace without any movement has zeros, version 0, and no
    `updated_at`.
    """

    workspace_id: UUID
    available: int = 0
    held: int = 0
    sequence: int = 0
    version: int = 0
    updated_at: datetime | None = None
    grants: tuple[GrantState, ...] = ()

    @property
    def next_expiry(self) -> NextExpiry | None:
        """The grants that expire soonest, taken together."""
        if not self.grants or (at := self.grants[0].expires_at) is None:
            return None
        return NextExpiry(sum(grant.remaining for grant in self.grants if grant.expires_at == at), at)


class History(NamedTuple):
    """Transactions, newest first, and whether older ones follow."""

    transactions: tuple[Transaction, ...]
    has_more: bool


async def balance(reads: Reads, workspace_id: UUID) -> Balance:
    """The balance of a workspace; what has expired by now no longer counts."""
    now = reads.now
    stored = await reads.one_of(ledger_read_store.BALANCES, workspace_id)
    return _balance(stored, now) if stored is not None else Balance(workspace_id)


async def balance_in(session: Session, workspace_id: UUID) -> Balance:
    """The balance of a workspace as a unit of work sees it; what has expired by its time no longer counts."""
    stored = await all_in(session, ledger_read_store.BALANCES, [workspace_id])
    return _balance(stored[0], session.now) if stored else Balance(workspace_id)


async def history(
    reads: Reads,
    workspace_id: UUID,
    *,
    first: int,
    after_sequence: int | None = None,
    up_to_sequence: int | None = None,
    kind: Kind | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> History:
    """The newest `first` transactions, older than number `after_sequence` and none newer than number `up_to_sequence`, of a kind,
    at or after `start` and before `end`.

    Without `up_to_sequence` it fits a balance that is read at the same time, with it one that was read before.
    """
    below = min(
        after_sequence if after_sequence is not None else MAX_STEPS,
        up_to_sequence + 1 if up_to_sequence is not None else MAX_STEPS,
    )
    read = ledger_read_store.history_read(
        is_of_kind=kind is not None,
        is_of_usage=kind is Kind.USAGE,
        has_start=start is not None,
        has_end=end is not None,
    )
    narrowed = [value for value in (kind.value if kind is not None else None, start, end) if value is not None]
    rows = await reads.rows(read, workspace_id, first + 1, below, *narrowed)
    return History(tuple(transaction_of(row) for row in rows[:first]), len(rows) > first)


async def transaction(reads: Reads, workspace_id: UUID, transaction_id: UUID) -> Transaction | None:
    """The transaction with this id."""
    if not 0 < transaction_id.int <= MAX_STEPS:
        return None
    found = await reads.one_of(ledger_read_store.TRANSACTIONS, (workspace_id, transaction_id.int))
    return transaction_of(found) if found is not None else None


async def purchase_transaction(reads: Reads, workspace_id: UUID, purchase_id: UUID) -> Transaction | None:
    """The transaction that credited a purchase; None for one that was not credited."""
    found = await reads.one_of(ledger_read_store.CREDITED, (workspace_id, purchase_id))
    return transaction_of(found) if found is not None else None


async def grant(reads: Reads, workspace_id: UUID, grant_id: UUID) -> GrantState | None:
    """The grant with this id, a spent one too."""
    found = await reads.one_of(ledger_read_store.GRANTS, (workspace_id, grant_id))
    return _grant(found) if found is not None else None


async def done_before(session: Session, workspace_id: UUID, key: Key) -> Posted | None:
    """What was posted with this idempotency key, as `post_one` answers a replay; None for a key that is new.

    Raises `IdempotencyConflict` where the key was used with another input.
    """
    since = session.now - KEYS_KEPT
    rows = await rows_in(session, ledger_read_store.KEYED, workspace_id, key.scope, key.value, since)
    if not rows:
        return None
    found = rows[0]
    if found.input_hash != key.input_hash:
        raise IdempotencyConflict
    earlier = transaction_of(found.transaction)
    ids = [(workspace_id, earlier.hold_id)] if earlier.hold_id is not None else []
    holds = [HoldState(*held) for held in await all_in(session, ledger_read_store.HOLDS, ids)] if ids else []
    version = (await balance_in(session, workspace_id)).version
    return Posted(earlier, version, holds[0] if holds else None, is_replay=True)


async def hold(reads: Reads, workspace_id: UUID, hold_id: UUID) -> HoldState | None:
    """The hold with this id, a closed one too."""
    found = await reads.one_of(ledger_read_store.HOLDS, (workspace_id, hold_id))
    return HoldState(*found) if found is not None else None


def transaction_of(row: StoredTransaction) -> Transaction:
    """The transaction that a row of `ledger_transactions` holds."""
    return Transaction(row.workspace_id, row.sequence, Kind(row.kind), *row[3:])


def _balance(stored: StoredBalance, now: datetime) -> Balance:
    grants = [_grant(grant) for grant in stored.grants]
    live = tuple(grant for grant in grants if grant.expires_at is None or grant.expires_at > now)
    expired = sum(grant.remaining for grant in grants) - sum(grant.remaining for grant in live)
    return Balance(
        stored.workspace_id,
        stored.available - expired,
        stored.held,
        stored.sequence,
        stored.version,
        stored.updated_at,
        live,
    )


def _grant(stored: StoredGrant) -> GrantState:
    return GrantState(stored.id, Source(stored.source), *stored[3:])
