"""Moves of workspaces to another plan at once, and the refunds of what was paid and not used of the plan before."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Kept


class MoveKind(StrEnum):
    """Who moves a workspace: an owner who leaves a legacy plan, or an operator."""

    TRANSITION = "TRANSITION"
    OPERATOR = "OPERATOR"


class MoveState(StrEnum):
    """Where a move is. In the first three it is under way, and nothing else of the plan may change.

    ENDING: what goes back is decided, and the paid plan is being ended; BEGINNING: it has ended, and the next paid plan is being
    begun; REFUNDING: the workspace is where it moves to, and money goes back. FAILED: the next paid plan could not be begun.
    """

    UNDER_WAY = "UNDER_WAY"
    ENDING = "ENDING"
    BEGINNING = "BEGINNING"
    REFUNDING = "REFUNDING"
    DONE = "DONE"
    FAILED = "FAILED"


MOVING = (MoveState.UNDER_WAY, MoveState.ENDING, MoveState.BEGINNING)


class PlanMoveRow(Base):
    """A move of a workspace to another plan at once, written down before anything is ended, refunded or begun.

    `subscription_id`, the provider's, is what it ends, None where nothing is paid; `from_terms_id` is what the workspace was on,
    `goal` what it is to be on (as `app.billing.subscriptions.plan_choice` writes it), None for the fallback plan, and `ends_at`
    when that is to end. `card_id`, the provider's, is what a paid goal is charged to. `moved_at` is when the workspace was on
    its new plan: for a transition the time from which the welcome bonus may be claimed once more. `failure` is why the goal was
    not begun.
    """

    __tablename__ = "plan_moves"
    erasure = Kept("the books: what was ended and refunded")
    __table_args__ = (
        Index(
            "plan_moves_under_way_key",
            "workspace_id",
            unique=True,
            postgresql_where=text("state IN ('UNDER_WAY', 'ENDING', 'BEGINNING')"),
        ),
        Index(
            "plan_moves_idempotency_key_key",
            "workspace_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index("plan_moves_next_check_at_idx", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    idempotency_key: Mapped[str | None]
    state: Mapped[str]
    subscription_id: Mapped[str | None]
    from_terms_id: Mapped[str | None]
    goal: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    ends_at: Mapped[datetime | None]
    card_id: Mapped[str | None]
    failure: Mapped[str | None]
    moved_at: Mapped[datetime | None]
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class PlanRefundRow(Base):
    """A refund of time that was paid for and not used, of one payment, written down before the plan is ended.

    `invoice_id`, `payment_id` and `provider_id` are the provider's; `amount_minor` is in the smallest unit of `currency`; `status`
    is a `RefundState`. `is_settled` tells of a failed one that it was asked for again.
    """

    __tablename__ = "plan_refunds"
    erasure = Kept("the books: what was refunded")
    __table_args__ = (
        Index("plan_refunds_move_id_idx", "workspace_id", "move_id"),
        Index(
            "plan_refunds_failed_idx",
            "created_at",
            postgresql_where=text("status = 'FAILED' AND NOT is_settled"),
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    move_id: Mapped[UUID]
    invoice_id: Mapped[str]
    payment_id: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str]
    provider_id: Mapped[str | None]
    failure: Mapped[str | None]
    is_settled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
