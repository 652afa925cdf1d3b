"""The ledger's tables. Amounts count the credit unit's smallest step; every key leads with the workspace."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Kept

# Room on each page for the next version of a row, so that an update need not touch the indexes.
_ROOM_FOR_UPDATES = {"fillfactor": "60"}


class LedgerBalanceRow(Base):
    """What a workspace has now: the ledger's lock, and the sums of its entries.

    `available` below zero is a debt. When it falls to `recharge_below`, auto-recharge is due; null: never.
    """

    __tablename__ = "ledger_balances"
    erasure = Kept("the books: amounts by workspace")
    __table_args__ = (
        CheckConstraint("held >= 0", name="held"),
        CheckConstraint("sequence >= 0", name="sequence"),
        CheckConstraint("version >= sequence", name="version"),
        {"postgresql_with": _ROOM_FOR_UPDATES},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    available: Mapped[int]
    held: Mapped[int]
    sequence: Mapped[int]
    version: Mapped[int]
    recharge_below: Mapped[int | None]
    updated_at: Mapped[datetime]


class LedgerTransactionRow(Base):
    """One transaction, numbered without gaps within its workspace. It never changes, except that its key is forgotten later.

    `seal` is the digest of `app.ledger.entries.transaction_digest`, by which `verify` finds rows that were changed by hand.
    `subject_id` is who or what the credits were used by, a bare id once the subject is erased.
    """

    __tablename__ = "ledger_transactions"
    erasure = Kept("the books: amounts by workspace")
    __table_args__ = (
        CheckConstraint(
            "kind IN ('PURCHASE', 'AUTO_RECHARGE', 'BONUS', 'ADJUSTMENT', 'USAGE', 'HOLD', 'RELEASE', 'CAPTURE', 'EXPIRY',"
            " 'CLAWBACK', 'REINSTATEMENT')",
            name="kind",
        ),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint("balance_after >= 0 OR amount >= 0 OR kind = 'CLAWBACK'", name="debt"),
        CheckConstraint("held_after >= 0", name="held"),
        CheckConstraint(
            "(scope IS NULL) = (idempotency_key IS NULL) AND (scope IS NULL) = (input_hash IS NULL)",
            name="key",
        ),
        Index(
            "ledger_transactions_key_idx",
            "workspace_id",
            "idempotency_key",
            "scope",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index(
            "ledger_transactions_purchase_idx",
            "workspace_id",
            "purchase_id",
            unique=True,
            postgresql_where=text("kind IN ('PURCHASE', 'AUTO_RECHARGE')"),
        ),
        # Usage is most of every history and is found by its sequence: only the rarer kinds need an index to be filtered by.
        Index(
            "ledger_transactions_kind_idx",
            "workspace_id",
            "kind",
            "sequence",
            postgresql_where=text("kind <> 'USAGE'"),
        ),
        # Rows lie in the order of their time: block ranges find the old ones for next to nothing.
        Index("ledger_transactions_at_idx", "at", postgresql_using="brin"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    amount: Mapped[int]
    balance_after: Mapped[int]
    held_delta: Mapped[int]
    held_after: Mapped[int]
    description: Mapped[str]
    resource: Mapped[str | None]
    purchase_id: Mapped[UUID | None]
    hold_id: Mapped[UUID | None]
    at: Mapped[datetime]
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    scope: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    input_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    subject_id: Mapped[UUID | None]


class LedgerEntryRow(Base):
    """One side of a transaction: an account and what it gained; the entries of a transaction sum to zero.

    Entries on AVAILABLE and HELD name the grant whose credits they move; one on AVAILABLE without a grant moves the debt.
    """

    __tablename__ = "ledger_entries"
    erasure = Kept("the books: amounts by workspace")
    __table_args__ = (
        CheckConstraint(
            "account IN ('AVAILABLE', 'HELD', 'PURCHASES', 'BONUSES', 'ADJUSTMENTS', 'USAGE', 'EXPIRY', 'CLAWBACK')",
            name="account",
        ),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("account IN ('AVAILABLE', 'HELD') OR grant_id IS NULL", name="grant"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    account: Mapped[str]
    grant_id: Mapped[UUID | None]
    amount: Mapped[int]


class LedgerGrantRow(Base):
    """Credits that came in together and expire together; only `remaining` ever changes."""

    __tablename__ = "ledger_grants"
    erasure = Kept("the books: amounts by workspace")
    __table_args__ = (
        CheckConstraint(
            "source IN ('PURCHASE', 'AUTO_RECHARGE', 'WELCOME_BONUS', 'PROMOTION', 'ADJUSTMENT')", name="source"
        ),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("remaining >= 0 AND remaining <= amount", name="remaining"),
        Index(
            "ledger_grants_spending_idx",
            "workspace_id",
            "expires_at",
            "granted_at",
            "id",
            postgresql_where=text("is_open"),
        ),
        Index("ledger_grants_due_idx", "expires_at", postgresql_where=text("is_open AND expires_at IS NOT NULL")),
        Index(
            "ledger_grants_purchase_idx",
            "workspace_id",
            "purchase_id",
            postgresql_where=text("purchase_id IS NOT NULL"),
        ),
        {"postgresql_with": _ROOM_FOR_UPDATES},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    opened_sequence: Mapped[int]
    source: Mapped[str]
    amount: Mapped[int]
    remaining: Mapped[int]
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    purchase_id: Mapped[UUID | None]
    # A column of its own, so that spending part of a grant changes nothing that is indexed.
    is_open: Mapped[bool] = mapped_column(Computed("remaining > 0", persisted=True))


class LedgerHoldRow(Base):
    """Credits set aside; the grants they came from are the HELD entries of the transaction that opened it."""

    __tablename__ = "ledger_holds"
    erasure = Kept("the books: amounts by workspace")
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("captured >= 0 AND captured <= amount", name="captured"),
        CheckConstraint("captured = 0 OR closed_sequence IS NOT NULL", name="closed"),
        Index(
            "ledger_holds_open_idx",
            "workspace_id",
            "expires_at",
            postgresql_where=text("closed_sequence IS NULL"),
        ),
        Index("ledger_holds_due_idx", "expires_at", postgresql_where=text("closed_sequence IS NULL")),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    amount: Mapped[int]
    captured: Mapped[int]
    description: Mapped[str]
    expires_at: Mapped[datetime]
    opened_sequence: Mapped[int]
    closed_sequence: Mapped[int | None]
    resource: Mapped[str | None]
    subject_id: Mapped[UUID | None]
