"""The movements that can be posted to the ledger, and their results. All amounts count the credit unit's smallest step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple, TypeAlias
from uuid import UUID

import orjson

from app.error_codes import ErrorCode
from app.errors import BadUserInput, DomainError, InvalidInput, ProtocolError
from app.ids import uuid7
from app.ledger.chart_of_accounts import Kind, Source
from app.money import MAX_STEPS, CreditUnit

MOST_KEY_CHARACTERS = 255


class InsufficientCredits(DomainError):
    """There are not enough credits available.

    `available` is what there is, in steps.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INSUFFICIENT_CREDITS

    def __init__(self, available: int, message: str | None = None) -> None:
        self.available = available
        super().__init__(message or "There are not enough credits available.")

    def in_unit(self, unit: CreditUnit) -> InsufficientCredits:
        """The same error with a message that states how much is available in `unit`."""
        return InsufficientCredits(
            self.available, f"There are not enough credits: {unit.text(self.available)} available."
        )


class HoldClosed(DomainError):
    """This hold is closed: it was captured, released, or it lapsed."""

    code = ErrorCode.HOLD_CLOSED


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key: in a workspace, `scope` (the mutation) and `value` identify one request, `input_hash` its input."""

    scope: str
    value: str
    input_hash: bytes

    @classmethod
    def of(cls, scope: str, value: str, *inputs: object) -> Key:
        """The key `value` of mutation `scope` for these inputs (text, numbers, ids, times, None).

        Raises `BadUserInput` for an empty value and for one that is too long.
        """
        if not 1 <= len(value) <= MOST_KEY_CHARACTERS:
            raise BadUserInput(f"An idempotency key has 1 to {MOST_KEY_CHARACTERS} characters.")
        return cls(scope, value, hashlib.blake2b(orjson.dumps(inputs, default=str), digest_size=16).digest())


def _check_amount(amount: int, minimum: int = 1) -> None:
    if amount < minimum:
        raise InvalidInput("The amount must be above zero." if minimum else "The amount must not be negative.")
    if amount > MAX_STEPS:
        raise InvalidInput("The amount is too large.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Credits come in. A debt is paid first; what is left is a grant that expires at `expires_at` (None: never).

    A purchase is granted once: granting it again returns the first transaction.
    """

    workspace_id: UUID
    amount: int
    source: Source
    description: str
    expires_at: datetime | None = None
    purchase_id: UUID | None = None
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Credits are used: the soonest-expiring first, then the oldest. Refused with `InsufficientCredits`.

    `subject_id` is who or what used them, by an id of ours.
    """

    workspace_id: UUID
    amount: int
    description: str
    resource: str | None = None
    subject_id: UUID | None = None
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Credits are set aside, in spending order, until captured, released, or lapsed at `expires_at`.

    `resource` and `subject_id` are what for and for whom, as in a `Spend`; what ends the hold carries them too.
    """

    workspace_id: UUID
    amount: int
    expires_at: datetime
    description: str
    id: UUID = field(default_factory=uuid7)
    resource: str | None = None
    subject_id: UUID | None = None
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Up to the amount of an open hold is used, once; the rest pays a debt or returns to the grants it came from."""

    workspace_id: UUID
    hold_id: UUID
    amount: int
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount, minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An open hold ends unused; its credits pay a debt or return to the grants they came from."""

    workspace_id: UUID
    hold_id: UUID
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clawback:
    """A refund or dispute takes credits back: from the purchase's grant first, then in spending order; the rest becomes a debt."""

    workspace_id: UUID
    purchase_id: UUID
    amount: int
    description: str
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstate:
    """Credits that were clawed back return: they pay the debt first; the rest is a new grant with the terms of the purchase's."""

    workspace_id: UUID
    purchase_id: UUID
    amount: int
    description: str
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount)


Movement: TypeAlias = Grant | Spend | Hold | Capture | Release | Clawback | Reinstate
Refusal: TypeAlias = DomainError | ProtocolError


class Transaction(NamedTuple):
    """One line of a workspace's history. `amount` and `held_delta` are signed: what it did to available and to held credits."""

    workspace_id: UUID
    sequence: int
    kind: Kind
    amount: int
    balance_after: int
    held_delta: int
    held_after: int
    description: str
    resource: str | None
    purchase_id: UUID | None
    hold_id: UUID | None
    at: datetime
    subject_id: UUID | None = None

    @property
    def id(self) -> UUID:
        """The transaction's id within its workspace: its sequence as a UUID."""
        return UUID(int=self.sequence)


@dataclass(frozen=True, slots=True)
class HoldState:
    """A hold as it is now."""

    workspace_id: UUID
    id: UUID
    amount: int
    captured: int
    description: str
    expires_at: datetime
    is_open: bool


class Posted(NamedTuple):
    """The result of a movement; with `is_replay` the result that the same idempotency key had before.

    `version` is the balance's version now; `is_low` says that the balance has fallen so far that auto-recharge is due.
    """

    transaction: Transaction
    version: int
    hold: HoldState | None = None
    is_replay: bool = False
    is_low: bool = False
