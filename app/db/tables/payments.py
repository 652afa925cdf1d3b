"""Billing accounts (customers), the mirrors of cards and invoices, and tries to pay an invoice."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Computed, Index, LargeBinary, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Kept


class BillingAccountRow(Base):
    """A workspace as the payment provider knows it. Locking this row orders everything that may charge the workspace.

    `cards_version` rises with every change of the cards, `card_page_id` is the page to save one that was opened last;
    `monthly_spend_limit_minor` overrides the plan's, set by an operator. From `closing_at` on nothing new is charged: the workspace
    is being deleted. While a form to save a card is open, until `cards_check_until`, the worker asks for the cards at
    `cards_check_at`; `cards_check_asked_at` is when somebody who looked at the cards last made that due at once.

    `customer_generation` is how many customers of the workspace are gone, `customer_digest` the hash of what the present one
    carries (None: not known), `customer_owner_ids` whose addresses it has, or may have while it is being written. It is brought up
    to date from `customer_due_at` on; until `customer_claimed_until` somebody is doing so. These two are the wall's times.

    From `details_due_at` on, its address, tax ids and exemption are compared with the provider's; until `details_claimed_until`
    (the wall's time) somebody is doing so. `adopted_at` is when a customer that had a history became the workspace's.
    """

    __tablename__ = "billing_accounts"
    erasure = Kept("a refund or dispute that comes later finds its workspace by the customer's id")
    __table_args__ = (
        Index(
            "billing_accounts_customer_due_idx",
            "customer_due_at",
            postgresql_where=text(
                "customer_id IS NOT NULL AND (customer_due_at IS NOT NULL OR customer_digest IS NULL)"
            ),
        ),
        Index(
            "billing_accounts_cards_check_at_idx",
            "cards_check_at",
            postgresql_where=text("cards_check_at IS NOT NULL"),
        ),
        Index(
            "billing_accounts_details_due_at_idx",
            "details_due_at",
            postgresql_where=text("details_due_at IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(unique=True)
    cards_version: Mapped[int] = mapped_column(default=0)
    card_page_id: Mapped[str | None]
    monthly_spend_limit_minor: Mapped[int | None]
    closing_at: Mapped[datetime | None]
    cards_check_at: Mapped[datetime | None]
    cards_check_until: Mapped[datetime | None]
    cards_check_asked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    customer_generation: Mapped[int] = mapped_column(default=0, server_default="0")
    customer_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    customer_owner_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list, server_default=text("'{}'"))
    customer_due_at: Mapped[datetime | None]
    customer_claimed_until: Mapped[datetime | None]
    details_due_at: Mapped[datetime | None]
    details_claimed_until: Mapped[datetime | None]
    adopted_at: Mapped[datetime | None]


class FormerCustomerRow(Base):
    """A customer of a workspace that was deleted at the provider, and whose payments may still be refunded or disputed."""

    __tablename__ = "former_customers"
    erasure = Kept("a refund or dispute that comes later finds its workspace by the customer's id")

    customer_id: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(index=True)
    forgotten_at: Mapped[datetime]


class CardRow(Base):
    """A card on file, mirrored from the provider. `fingerprint` is the provider's, the same for each saving of one card number."""

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
    fingerprint: Mapped[str | None]


class InvoiceRow(Base):
    """An invoice, mirrored from the provider; amounts in the smallest unit of `currency`, lines and taxes as JSON.

    `amount_due_minor` and `credit_applied_minor` are what the provider says, which keeps them when an invoice is voided: what is to
    be shown is in `app/billing/payments/invoice_mirror.py`. `money_checks` counts how often the provider was asked what refunds and
    disputes have returned of it. `subscription_id` is the provider's, of what it bills; `made_at` is when the provider made it.

    `listed_at` is its place in the list, None for one that is not shown. An invoice of a subscription stands where its draft was
    made, and stays there when it is issued, so that no reader of page after page misses it; any other is shown once it is issued.
    """

    __tablename__ = "invoices"
    erasure = Kept("the law makes a seller keep invoices; nobody can read those of a workspace that is gone")
    __table_args__ = (
        Index("invoices_listed_idx", "workspace_id", "listed_at", "id"),
        # for the last version's code, which lists by the day of issue
        Index("invoices_listing_idx", "workspace_id", "issued_at", "id"),
        Index("invoices_purchase_idx", "workspace_id", "purchase_id", postgresql_where=text("purchase_id IS NOT NULL")),
    )

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
    money_checks: Mapped[int] = mapped_column("returns_looks", default=0)
    credit_applied_minor: Mapped[int]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    tax_lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    hosted_url: Mapped[str | None]
    pdf_url: Mapped[str | None]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    subscription_id: Mapped[str | None]
    made_at: Mapped[datetime | None]
    listed_at: Mapped[datetime | None] = mapped_column(
        Computed("CASE WHEN subscription_id IS NULL THEN issued_at ELSE made_at END", persisted=True), deferred=True
    )


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
