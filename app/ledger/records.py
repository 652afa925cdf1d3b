"""What a book keeps: holds and grants it knows, keys it remembers, transactions it is to write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.ledger.entries import Entries
from app.ledger.grants import LockedGrant, Portion
from app.ledger.movements import HoldState, Key, Transaction


@dataclass(slots=True)
class OpenHold:
    """A hold and the credits it holds, in the order they would be spent."""

    id: UUID
    amount: int
    captured: int
    description: str
    expires_at: datetime
    opened_sequence: int
    closed_sequence: int | None
    portions: list[Portion]

    def state(self, workspace_id: UUID) -> HoldState:
        """The hold as others see it."""
        is_open = self.closed_sequence is None
        return HoldState(workspace_id, self.id, self.amount, self.captured, self.description, self.expires_at, is_open)


class Remembered(NamedTuple):
    """A transaction that an idempotency key made, and the input it was made for."""

    transaction: Transaction
    input_hash: bytes


class Written(NamedTuple):
    """A transaction to be written."""

    transaction: Transaction
    entries: Entries
    seal: bytes
    key: Key | None


@dataclass(slots=True)
class Opened:
    """A grant to be written: its terms, beside the lot that holds what remains."""

    locked_grant: LockedGrant
    amount: int
    sequence: int
