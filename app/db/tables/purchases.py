"""Purchases of credits, and refunds of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Kept


class PurchaseStatus(StrEnum):
    """The state of a purchase of credits."""

    PENDING = "PENDING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"


class RefundState(StrEnum):
    """The state of a refund requested here: REQUESTED until the provider is known to have it, then the provider's state."""

    REQUESTED = "REQUESTED"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


UNFINISHED = (PurchaseStatus.PENDING, PurchaseStatus.ACTION_REQUIRED)


class CreditPurchaseRow(Base):
    """One attempt to buy credits.

    `credits` in the unit's smallest step; `price_minor` is what was asked, `total_minor` what the invoice came to with tax, both in
    the currency's smallest unit. `pay_sent_at` is set before the pay call leaves: from then on only the provider knows the outcome.
    The key is freed (null) when the purchase ended before anything was sent to be paid. At `next_check_at` the worker asks the
    provider what became of it; `check_asked_at` is when somebody who looked at it last made that due at once.

    `refunded_minor` is what refunds returned, `disputed_minor` what disputes have taken and not given back, `lost_minor` the part
    of that which is lost for good, and `reclaimed_credits` how many credits that has taken back so far.
    """

    __tablename__ = "credit_purchases"
    erasure = Kept("the books: what was charged, refunded and disputed")
    __table_args__ = (
        Index(
            "credit_purchases_workspace_id_idempotency_key_key",
            "workspace_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index("credit_purchases_unsettled_idx", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
        Index("credit_purchases_invoice_id_idx", "invoice_id"),
        # what is spent in a month is read with every page of a workspace, whatever it bought before
        Index(
            "credit_purchases_charged_idx",
            "workspace_id",
            "charged_at",
            postgresql_where=text("charged_at IS NOT NULL"),
        ),
        Index(
            "credit_purchases_under_way_idx",
            "workspace_id",
            postgresql_where=text("pay_sent_at IS NOT NULL AND status IN ('PENDING', 'ACTION_REQUIRED')"),
        ),
        CheckConstraint("credits > 0", name="credits"),
        CheckConstraint("price_minor > 0", name="price"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    credits: Mapped[int]
    pack_code: Mapped[str | None]
    price_minor: Mapped[int]
    total_minor: Mapped[int | None]
    currency: Mapped[str]
    is_auto_recharge: Mapped[bool]
    card_id: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    input_hash: Mapped[bytes]
    invoice_id: Mapped[str | None]
    pay_sent_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    next_check_at: Mapped[datetime | None] = mapped_column("next_look_at")
    check_asked_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    decline_code: Mapped[str | None]
    checkout_session_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    charged_at: Mapped[datetime | None]
    refunded_minor: Mapped[int] = mapped_column(default=0)
    disputed_minor: Mapped[int] = mapped_column(default=0)
    lost_minor: Mapped[int] = mapped_column(default=0)
    reclaimed_credits: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class RefundRow(Base):
    """A refund of a purchase that was asked for here, written down before it is sent: one at a time is on its way.

    `amount_minor` in the smallest unit of the purchase's currency; `payment_id` and `provider_id` are the provider's.
    """

    __tablename__ = "refunds"
    erasure = Kept("the books: what was refunded")
    __table_args__ = (
        Index(
            "refunds_requested_key",
            "workspace_id",
            "purchase_id",
            unique=True,
            postgresql_where=text("status = 'REQUESTED'"),
        ),
        Index("refunds_unsent_idx", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
        CheckConstraint("amount_minor > 0", name="amount"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    purchase_id: Mapped[UUID]
    payment_id: Mapped[str]
    amount_minor: Mapped[int]
    reason: Mapped[str | None]
    status: Mapped[str]
    provider_id: Mapped[str | None]
    failure: Mapped[str | None]
    next_check_at: Mapped[datetime | None] = mapped_column("next_look_at")
    created_at: Mapped[datetime]
