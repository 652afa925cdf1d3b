"""What the product keeps of payments: customers, cards, purchases of credits, the mirror of invoices, the inbox of events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Kept


class PurchaseStatus(StrEnum):
    """Where a purchase of credits is between the click and the end."""

    PENDING = "PENDING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"


class RefundState(StrEnum):
    """Where a refund that was asked for here is: REQUESTED until the provider is known to have it, then as the provider says."""

    REQUESTED = "REQUESTED"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


UNSETTLED = (PurchaseStatus.PENDING, PurchaseStatus.ACTION_REQUIRED)


class BillingAccountRow(Base):
    """A workspace as the payment provider knows it. Locking this row orders everything that may charge the workspace.

    `cards_version` rises with every change of the cards, `card_page_id` is the page to save one that was opened last;
    `monthly_spend_limit_minor` overrides the plan's, set by an operator. From `closing_at` on nothing new is charged: the workspace
    is being deleted.
    """

    __tablename__ = "billing_accounts"
    erasure = Kept("a refund or dispute that comes later finds its workspace by the customer's id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(unique=True)
    cards_version: Mapped[int] = mapped_column(default=0)
    card_page_id: Mapped[str | None]
    monthly_spend_limit_minor: Mapped[int | None]
    closing_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class CardRow(Base):
    """A card on file, mirrored from the provider."""

    __tablename__ = "cards"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(unique=True)
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    is_default: Mapped[bool]
    created_at: Mapped[datetime]


class CreditPurchaseRow(Base):
    """One attempt to buy credits.

    `credits` in the unit's smallest step; `price_minor` is what was asked, `total_minor` what the invoice came to with tax, both in
    the currency's smallest unit. `pay_sent_at` is set before the pay call leaves: from then on only the provider knows the outcome.
    The key is freed (null) when the purchase ended before anything was sent to be paid.

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
    next_look_at: Mapped[datetime | None]
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


class InvoiceRow(Base):
    """An invoice, mirrored from the provider; amounts in the smallest unit of `currency`, lines and taxes as JSON.

    `returns_looks` counts how often it was looked at what refunds and disputes have returned of it.
    """

    __tablename__ = "invoices"
    erasure = Kept("the law makes a seller keep invoices; sealed, since no one can reach a workspace that is gone")
    __table_args__ = (Index("invoices_listing_idx", "workspace_id", "issued_at", "id"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(unique=True)
    purchase_id: Mapped[UUID | None]
    number: Mapped[str | None]
    status: Mapped[str]
    currency: Mapped[str]
    issued_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    subtotal_minor: Mapped[int]
    tax_minor: Mapped[int]
    total_minor: Mapped[int]
    amount_due_minor: Mapped[int]
    amount_paid_minor: Mapped[int]
    amount_refunded_minor: Mapped[int] = mapped_column(default=0)
    returns_looks: Mapped[int] = mapped_column(default=0)
    credit_applied_minor: Mapped[int]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    tax_lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    hosted_url: Mapped[str | None]
    pdf_url: Mapped[str | None]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class InvoicePaymentRow(Base):
    """A try to pay an open invoice, by the idempotency key it was made with."""

    __tablename__ = "invoice_payments"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    card_id: Mapped[str]
    input_hash: Mapped[bytes]
    created_at: Mapped[datetime]


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
    next_look_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ProviderEventRow(Base):
    """The inbox: each event of the provider once, whatever number of times it is delivered."""

    __tablename__ = "provider_events"
    erasure = Kept("an event counts once: ids and types")
    __table_args__ = (
        Index("provider_events_unprocessed_idx", "received_at", postgresql_where=text("processed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    object_id: Mapped[str]
    customer_id: Mapped[str | None]
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]


class EventCursorRow(Base):
    """The last event seen by polling, where no webhook can reach this service; one row at most."""

    __tablename__ = "provider_event_cursor"
    erasure = Kept("how far events were read")

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[str]


class ProviderObjectRow(Base):
    """The provider's ids of what the catalog was synced to: prices by lookup key, tax rates by key."""

    __tablename__ = "provider_objects"
    erasure = Kept("the catalog at the provider")

    key: Mapped[str] = mapped_column(primary_key=True)
    provider_id: Mapped[str]
