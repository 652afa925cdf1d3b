"""What workspaces subscribe to: the mirror of the provider's subscriptions, changes under way, hosted pages, the next bill."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Kept


class SubscriptionState(StrEnum):
    """Where a workspace's subscription is. CANCELED: it was paid, given or a trial, and has ended in the fallback plan."""

    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    INCOMPLETE = "INCOMPLETE"
    CANCELED = "CANCELED"


class ChangeState(StrEnum):
    """Where a change of a subscription is. In the first three it is in flight, and no other may begin.

    UNDOING brings the provider's subscription back to what it was before.
    """

    UNDER_WAY = "UNDER_WAY"
    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    UNDOING = "UNDOING"
    DONE = "DONE"
    FAILED = "FAILED"
    LAPSED = "LAPSED"
    TAKEN_BACK = "TAKEN_BACK"


IN_FLIGHT = (ChangeState.UNDER_WAY, ChangeState.AWAITING_PAYMENT, ChangeState.UNDOING)


class CheckoutState(StrEnum):
    """Where a hosted page is that starts a subscription. OPENING: its address is not known yet.

    COMPLETE: it was used, and what it started is being settled; SETTLED: that is done.
    """

    OPENING = "OPENING"
    OPEN = "OPEN"
    COMPLETE = "COMPLETE"
    SETTLED = "SETTLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class SubscriptionRow(Base):
    """What a workspace is on: mirrored from the provider, or given. A workspace that was always on the fallback plan has no row.

    `provider_id` is the live subscription, None without one. `terms_id`, `interval`, `seats` and `add_ons` (quantities by code) are
    what it bills; without `provider_id` a plan that was given, as a trial or by an operator, and None (and empty) on the fallback
    plan. `ends_at` is when it will end, None while it goes on.
    `pending` is what is decided for later, as `app.billing.subscriptions.subscription_states` writes it; `grace_ends_at` is when
    access ends unless the overdue invoice is paid. `version` rises with everything that clients are shown. From `next_check_at`
    on, when something falls due, the worker fetches it again, and in any case a day after `checked_at`.
    """

    __tablename__ = "subscriptions"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (
        CheckConstraint("provider_id IS NULL OR terms_id IS NOT NULL", name="live_has_terms"),
        CheckConstraint("(terms_id IS NULL) = (seats IS NULL)", name="terms_have_seats"),
        Index("subscriptions_next_check_at_idx", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
        Index("subscriptions_checked_at_idx", "checked_at", postgresql_where=text("provider_id IS NOT NULL")),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str | None] = mapped_column(unique=True)
    status: Mapped[str]
    terms_id: Mapped[str | None]
    interval: Mapped[str | None]
    seats: Mapped[int | None]
    add_ons: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    started_at: Mapped[datetime | None]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    trial_ends_at: Mapped[datetime | None]
    grace_ends_at: Mapped[datetime | None]
    schedule_id: Mapped[str | None]
    pending: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    next_check_at: Mapped[datetime | None]
    checked_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    version: Mapped[int]


class SubscriptionChangeRow(Base):
    """A change of a subscription that somebody asked for. `goal` is what the provider's subscription is to become, `before` what
    it was; both as `app.billing.subscriptions.goals` writes them.

    `prorated_at` is the moment from which the rest of the period is charged. Who makes the change moves `next_check_at` on with
    each step; from then on the worker finishes it, or undoes it. `invoice_id`, the provider's, is what an upgrade waits for, until
    `expires_at` at the latest. `seats_left` is how many seats count for those who join meanwhile. `failure` is why it was not made,
    one of `app.billing.subscriptions.change_states.Failure`; `reason` is what a customer said who canceled.
    """

    __tablename__ = "subscription_changes"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (
        Index(
            "subscription_changes_in_flight_key",
            "workspace_id",
            unique=True,
            postgresql_where=text("state IN ('UNDER_WAY', 'AWAITING_PAYMENT', 'UNDOING')"),
        ),
        Index(
            "subscription_changes_idempotency_key_key",
            "workspace_id",
            "mutation",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index(
            "subscription_changes_next_check_at_idx",
            "next_check_at",
            postgresql_where=text("next_check_at IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    mutation: Mapped[str]
    idempotency_key: Mapped[str | None]
    input_hash: Mapped[bytes]
    state: Mapped[str]
    subscription_id: Mapped[str]
    goal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    prorated_at: Mapped[datetime | None]
    invoice_id: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    seats_left: Mapped[int | None]
    reason: Mapped[str | None]
    failure: Mapped[str | None]
    failure_message: Mapped[str | None]
    decline_code: Mapped[str | None]
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SeatRequestRow(Base):
    """Somebody accepted an invitation, and waits for a seat: it is bought, or one becomes free.

    `change_id` is the change of the subscription that buys it, None before that is begun. At `next_check_at` the worker looks
    whether there is a seat by now, or buys one. It is None where no seat could be bought: then they wait no more, and the row only
    tells that this acceptance, by its key, was tried. The row goes when they have joined.
    """

    __tablename__ = "seat_requests"
    erasure = Erased(workspace="workspace_id", person="user_id")
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "invitation_id"], ["invitations.workspace_id", "invitations.id"], ondelete="CASCADE"
        ),
        Index("seat_requests_next_check_at_idx", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
        Index("seat_requests_user_id_idx", "user_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    invitation_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    idempotency_key: Mapped[str]
    change_id: Mapped[UUID | None]
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SubscriptionCheckoutRow(Base):
    """A hosted page on which a workspace may begin to subscribe. One of a workspace is open at a time.

    `choice` is what is bought there, as `app.billing.subscriptions.plan_choice` writes it. At `next_check_at` the worker asks the
    provider what became of the page; `subscription_id`, the provider's, is what it started.
    """

    __tablename__ = "subscription_checkouts"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (
        Index("subscription_checkouts_key_key", "workspace_id", "idempotency_key", unique=True),
        Index(
            "subscription_checkouts_next_check_at_idx",
            "next_check_at",
            postgresql_where=text("next_check_at IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str | None]
    input_hash: Mapped[bytes]
    state: Mapped[str]
    choice: Mapped[dict[str, Any]] = mapped_column(JSONB)
    session_id: Mapped[str | None] = mapped_column(unique=True)
    url: Mapped[str | None]
    expires_at: Mapped[datetime]
    subscription_id: Mapped[str | None]
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class UpcomingInvoiceRow(Base):
    """The next bill of a workspace as the provider told it last, for a version of its subscription.

    `version` and `asked_at` (the product's time) are None until it was told once. `invoice` is None where nothing will be billed,
    else as `app.billing.subscriptions.upcoming` writes it. `recurring_total_minor` is what recurs, tax included, in the smallest
    unit of the currency. `tried_at` is when the provider was asked last, answered or not, for `tried_version`; until
    `claimed_until` (the wall's time) somebody with `claim_id` is asking.
    """

    __tablename__ = "upcoming_invoices"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int | None]
    asked_at: Mapped[datetime | None]
    invoice: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    recurring_total_minor: Mapped[int | None]
    tried_version: Mapped[int | None]
    tried_at: Mapped[datetime | None]
    claim_id: Mapped[UUID | None]
    claimed_until: Mapped[datetime | None]


class NoticeRow(Base):
    """That the owners of a workspace were told something: once for each reason, however often it is found."""

    __tablename__ = "notices"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class FallbackPlanRow(Base):
    """What the catalog gives to workspaces that subscribe to nothing, where SQL must know it; one row, written at each start."""

    __tablename__ = "fallback_plan"
    erasure = Kept("a part of the catalog")

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seats: Mapped[int]
