"""Reading the ledger: balances, histories, single transactions, grants and holds. Amounts count the credit unit's smallest step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.errors import IdempotencyConflict
from app.idempotency import KEYS_KEPT
from app.ledger.chart_of_accounts import Kind, Source
from app.ledger.movements import HoldState, Key, Posted, Transaction
from app.money import MAX_STEPS
from app.store import ledger_reads as ledger_read_store


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

    A workspace without any movement has zeros, version 0, and no `updated_at`.
    """

    workspace_id: UUID
    available: int = 0
    held: int = 0
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


async def balances(session: Session, workspace_ids: Iterable[UUID]) -> dict[UUID, Balance]:
    """The balance of each workspace, in one statement; what has expired by the session's time no longer counts."""
    wanted = list(workspace_ids)
    rows: dict[UUID, list[Mapping[Any, Any]]] = {workspace_id: [] for workspace_id in wanted}
    for row in await ledger_read_store.balances(session, wanted):
        rows[row["workspace_id"]].append(row)
    return {workspace_id: _balance(workspace_id, of_it, session.now) for workspace_id, of_it in rows.items()}


async def history(
    session: Session,
    workspace_id: UUID,
    *,
    first: int,
    after_sequence: int | None = None,
    kind: Kind | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> History:
    """The newest `first` transactions, older than number `after_sequence`, of a kind, at or after `start` and before `end`."""
    rows = await ledger_read_store.history(
        session, workspace_id, limit=first + 1, before_sequence=after_sequence, kind=kind, start=start, end=end
    )
    return History(tuple(transaction_of(row) for row in rows[:first]), len(rows) > first)


async def transaction(session: Session, workspace_id: UUID, transaction_id: UUID) -> Transaction | None:
    """The transaction with this id."""
    if not 0 < transaction_id.int <= MAX_STEPS:
        return None
    rows = await ledger_read_store.transactions(session, workspace_id, [transaction_id.int])
    return transaction_of(rows[0]) if rows else None


async def purchase_transactions(
    session: Session, workspace_id: UUID, purchase_ids: Sequence[UUID]
) -> dict[UUID, Transaction]:
    """The transactions that credited these purchases, by purchase; those not credited are left out."""
    rows = await ledger_read_store.purchase_transactions(session, workspace_id, purchase_ids)
    return {row["purchase_id"]: transaction_of(row) for row in rows}


async def done_before(session: Session, workspace_id: UUID, key: Key) -> Posted | None:
    """What was posted with this idempotency key, as `post_one` answers a replay; None for a key that is new.

    Raises `IdempotencyConflict` where the key was used with another input.
    """
    row = await ledger_read_store.keyed(session, workspace_id, key.scope, key.value, since=session.now - KEYS_KEPT)
    if row is None:
        return None
    if row["input_hash"] != key.input_hash:
        raise IdempotencyConflict
    earlier = transaction_of(row)
    held = [earlier.hold_id] if earlier.hold_id is not None else []
    hold = (await holds(session, workspace_id, held)).get(held[0]) if held else None
    balance = (await balances(session, [workspace_id]))[workspace_id]
    return Posted(earlier, balance.version, hold, is_replay=True)


async def grants(session: Session, workspace_id: UUID, grant_ids: Sequence[UUID]) -> dict[UUID, GrantState]:
    """The grants with these ids, by id; those that aren't there are left out."""
    return {row["id"]: _grant(row) for row in await ledger_read_store.grants(session, workspace_id, grant_ids)}


async def holds(session: Session, workspace_id: UUID, hold_ids: Sequence[UUID]) -> dict[UUID, HoldState]:
    """The holds with these ids, by id; those that aren't there are left out."""
    return {row["id"]: HoldState(**row) for row in await ledger_read_store.holds(session, workspace_id, hold_ids)}


def transaction_of(row: Mapping[Any, Any]) -> Transaction:
    """The transaction that a row of `ledger_transactions` holds."""
    return Transaction(
        row["workspace_id"],
        row["sequence"],
        Kind(row["kind"]),
        row["amount"],
        row["balance_after"],
        row["held_delta"],
        row["held_after"],
        row["description"],
        row["resource"],
        row["purchase_id"],
        row["hold_id"],
        row["at"],
    )


def _balance(workspace_id: UUID, rows: Sequence[Mapping[Any, Any]], now: datetime) -> Balance:
    if not rows:
        return Balance(workspace_id)
    row = rows[0]
    grants = [_grant(row) for row in rows if row["id"] is not None]
    live = tuple(grant for grant in grants if grant.expires_at is None or grant.expires_at > now)
    expired = sum(grant.remaining for grant in grants) - sum(grant.remaining for grant in live)
    return Balance(workspace_id, row["available"] - expired, row["held"], row["version"], row["updated_at"], live)


def _grant(row: Mapping[Any, Any]) -> GrantState:
    return GrantState(
        row["id"],
        Source(row["source"]),
        row["amount"],
        row["remaining"],
        row["granted_at"],
        row["expires_at"],
        row["purchase_id"],
    )
