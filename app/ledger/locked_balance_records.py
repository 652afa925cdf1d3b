"""What a locked balance keeps beside its grants: holds, transactions that may be repeated, transactions and grants to write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.ledger.entries import Entries
from app.ledger.grants import LockedGrant, Portion
from app.ledger.movements import HoldState, Key, Transaction


@dataclass(slots=True)
class LockedHold:
    """A hold, open or closed, while its workspace is locked; `portions` are the credits it holds, in the order they are used."""

    id: UUID
    amount: int
    captured: int
    description: str
    expires_at: datetime
    opened_sequence: int
    closed_sequence: int | None
    portions: list[Portion]
    resource: str | None = None
    subject_id: UUID | None = None

    def state(self, workspace_id: UUID) -> HoldState:
        """The hold as callers of the ledger see it."""
        is_open = self.closed_sequence is None
        return HoldState(workspace_id, self.id, self.amount, self.captured, self.description, self.expires_at, is_open)


class KeyedTransaction(NamedTuple):
    """A transaction that an idempotency key made, and the hash of the input it was made for."""

    transaction: Transaction
    input_hash: bytes


class NewTransaction(NamedTuple):
    """A transaction to be written, with its entries, its digest (`entries.transaction_digest`) and its idempotency key."""

    transaction: Transaction
    entries: Entries
    digest: bytes
    key: Key | None


@dataclass(slots=True)
class NewGrant:
    """A grant to be written: how much came in and by which transaction, beside the grant itself with what remains of it."""

    locked_grant: LockedGrant
    amount: int
    sequence: int
