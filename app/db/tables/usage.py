"""Usage: what was counted for workspaces, what of it is to be paid with credits, and who used it.

Quantities count the resource's unit, exactly. Whoever changes a row of a workspace here first locks its `usage_states`, so that no
other lock is waited for.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Numeric, SmallInteger, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased

Quantity = Annotated[Decimal, mapped_column(Numeric)]
_WorkspaceId = Annotated[
    UUID, mapped_column(Uuid, ForeignKey("usage_states.workspace_id", ondelete="CASCADE"), primary_key=True)
]


class UsageStateRow(Base):
    """The lock of a workspace's usage, and what there is once for all of it.

    `version` rises with everything that clients are shown. `terms_id` are the terms of the plan that the limits of the running
    period follow, None where nothing was noted yet. At `turns_at` the running period ends, and screens are told of the new one.
    """

    __tablename__ = "usage_states"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (Index("usage_states_turns_at_idx", "turns_at"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int]
    terms_id: Mapped[str | None]
    turns_at: Mapped[datetime | None]


class UsageEventRow(Base):
    """An event that was counted, so that it counts once however often it is sent; kept for 90 days after it arrived."""

    __tablename__ = "usage_events"
    erasure = Erased(workspace="workspace_id")
    # rows lie in the order of their arrival: block ranges find the old ones for next to nothing
    __table_args__ = (Index("usage_events_received_at_idx", "received_at", postgresql_using="brin"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]


class UsageCounterRow(Base):
    """What a workspace used of a counter in a period.

    `allowance` is what the plan includes, None without a limit; a change of plan moves it, as `app.billing.allowances` says.
    `price` is what a unit past it costs, in steps of the credit unit, None where credits can't pay. `overage` is what went past the
    allowance when it was counted, `unpaid` the part of it that nothing pays for, `owed` the exact cost in steps of what was paid
    for, and `charged` the whole steps that were.
    """

    __tablename__ = "usage_counters"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (
        CheckConstraint("used >= 0", name="used"),
        CheckConstraint("overage >= 0 AND unpaid >= 0", name="overage"),
        CheckConstraint("charged >= 0", name="charged"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    workspace_id: Mapped[_WorkspaceId]
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    period_end: Mapped[datetime]
    used: Mapped[Quantity]
    allowance: Mapped[Decimal | None] = mapped_column(Numeric)
    price: Mapped[Decimal | None] = mapped_column(Numeric)
    overage: Mapped[Quantity]
    unpaid: Mapped[Quantity]
    owed: Mapped[Quantity]
    charged: Mapped[int]


class UsageDayRow(Base):
    """What was used of a counter on a day (in UTC) of a period, or the level at which a gauge was on that day last."""

    __tablename__ = "usage_days"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = ({"postgresql_with": {"fillfactor": "70"}},)

    workspace_id: Mapped[_WorkspaceId]
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[Quantity]


class UsageGaugeRow(Base):
    """The level of a gauge: the sum of its `usage_levels`."""

    __tablename__ = "usage_gauges"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[_WorkspaceId]
    resource: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[Quantity]


class UsageLevelRow(Base):
    """The level of a gauge that was reported last for a subject; the nil id where it was reported without one.

    `previous` is the level before, by which the report that set this one changed the gauge.
    """

    __tablename__ = "usage_levels"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[_WorkspaceId]
    resource: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    level: Mapped[Quantity]
    previous: Mapped[Quantity]
    occurred_at: Mapped[datetime]


class UsageSubjectRow(Base):
    """Who or what uses something in a workspace, by the host product's own id: the only place where that id is kept."""

    __tablename__ = "usage_subjects"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (Index("usage_subjects_name_key", "workspace_id", "name", unique=True),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class SubjectUsageRow(Base):
    """What a subject used of a counter in a period, and the credits (in steps) that paid for it."""

    __tablename__ = "subject_usage"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = ({"postgresql_with": {"fillfactor": "70"}},)

    workspace_id: Mapped[_WorkspaceId]
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    used: Mapped[Quantity]
    charged: Mapped[int]


class UsageDueRow(Base):
    """Use past the allowance that was counted and is yet to be paid: whoever comes next pays it, oldest first, and deletes it.

    `units` were used by `subject_id`, None without one, and cost `value` steps exactly.
    """

    __tablename__ = "usage_dues"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (Index("usage_dues_created_at_idx", "created_at"),)

    workspace_id: Mapped[_WorkspaceId]
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    period_start: Mapped[datetime]
    resource: Mapped[str]
    subject_id: Mapped[UUID | None]
    units: Mapped[Quantity]
    value: Mapped[Quantity]
    created_at: Mapped[datetime]


class UsageWarningRow(Base):
    """That a bar passed a level (in percent of its limit) in a period; owners are told once, at `told_at`."""

    __tablename__ = "usage_warnings"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (Index("usage_warnings_untold_idx", "created_at", postgresql_where=text("told_at IS NULL")),)

    workspace_id: Mapped[_WorkspaceId]
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(Text, primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
