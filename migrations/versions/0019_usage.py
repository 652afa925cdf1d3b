"""Usage: events that count once, counters and gauges, subjects (in the ledger too), what is to be paid with credits, warnings."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0019_usage"
down_revision = "0018_given_plans"

_SQL = Path(__file__).with_name("0019_usage_sql")
_TIME = sa.DateTime(timezone=True)
_ROOM_FOR_UPDATES = {"fillfactor": "70"}


def upgrade() -> None:
    """Add the day that usage periods are counted from, and the tables."""
    op.add_column("workspaces", sa.Column("usage_anchor", _TIME))
    op.add_column("workspaces", sa.Column("usage_anchored_at", _TIME))
    # of those that subscribed before, the start of the last subscription is what is known
    op.execute(
        "UPDATE workspaces w SET usage_anchor = s.started_at, usage_anchored_at = s.started_at"
        " FROM subscriptions s WHERE s.workspace_id = w.id AND s.started_at IS NOT NULL"
    )
    _add_states_and_events()
    _add_counters()
    _add_gauges()
    _add_subjects()
    _add_dues_and_warnings()
    _add_to_ledger()
    op.execute((_SQL / "count.sql").read_text(encoding="utf-8"))


def _workspace_id() -> sa.Column[object]:
    return sa.Column(
        "workspace_id", sa.Uuid(), sa.ForeignKey("usage_states.workspace_id", ondelete="CASCADE"), primary_key=True
    )


def _add_states_and_events() -> None:
    op.create_table(
        "usage_states",
        sa.Column("workspace_id", sa.Uuid(), sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("terms_id", sa.Text()),
        sa.Column("turns_at", _TIME),
    )
    op.create_index("usage_states_turns_at_idx", "usage_states", ["turns_at"])
    op.create_table(
        "usage_events",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("event_id", sa.Text(), primary_key=True),
        sa.Column("received_at", _TIME, nullable=False),
    )
    op.create_index("usage_events_received_at_idx", "usage_events", ["received_at"], postgresql_using="brin")


def _add_counters() -> None:
    op.create_table(
        "usage_counters",
        _workspace_id(),
        sa.Column("period_start", _TIME, primary_key=True),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("period_end", _TIME, nullable=False),
        sa.Column("used", sa.Numeric(), nullable=False),
        sa.Column("allowance", sa.Numeric()),
        sa.Column("price", sa.Numeric()),
        sa.Column("overage", sa.Numeric(), nullable=False),
        sa.Column("unpaid", sa.Numeric(), nullable=False),
        sa.Column("owed", sa.Numeric(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name="used"),
        sa.CheckConstraint("overage >= 0 AND unpaid >= 0", name="overage"),
        sa.CheckConstraint("charged >= 0", name="charged"),
        postgresql_with=_ROOM_FOR_UPDATES,
    )
    op.create_table(
        "usage_days",
        _workspace_id(),
        sa.Column("period_start", _TIME, primary_key=True),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("used", sa.Numeric(), nullable=False),
        postgresql_with=_ROOM_FOR_UPDATES,
    )


def _add_gauges() -> None:
    op.create_table(
        "usage_gauges",
        _workspace_id(),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("level", sa.Numeric(), nullable=False),
    )
    op.create_table(
        "usage_levels",
        _workspace_id(),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("subject_id", sa.Uuid(), primary_key=True),
        sa.Column("level", sa.Numeric(), nullable=False),
        sa.Column("previous", sa.Numeric(), nullable=False),
        sa.Column("occurred_at", _TIME, nullable=False),
    )


def _add_subjects() -> None:
    op.create_table(
        "usage_subjects",
        sa.Column("workspace_id", sa.Uuid(), sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
    )
    op.create_index("usage_subjects_name_key", "usage_subjects", ["workspace_id", "name"], unique=True)
    op.create_table(
        "subject_usage",
        _workspace_id(),
        sa.Column("period_start", _TIME, primary_key=True),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("subject_id", sa.Uuid(), primary_key=True),
        sa.Column("used", sa.Numeric(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        postgresql_with=_ROOM_FOR_UPDATES,
    )


def _add_dues_and_warnings() -> None:
    op.create_table(
        "usage_dues",
        _workspace_id(),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("period_start", _TIME, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("units", sa.Numeric(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("usage_dues_created_at_idx", "usage_dues", ["created_at"])
    op.create_table(
        "usage_warnings",
        _workspace_id(),
        sa.Column("period_start", _TIME, primary_key=True),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("level", sa.SmallInteger(), primary_key=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("told_at", _TIME),
    )
    op.create_index(
        "usage_warnings_untold_idx",
        "usage_warnings",
        ["created_at"],
        postgresql_where=sa.text("told_at IS NULL"),
    )


def _add_to_ledger() -> None:
    """Subjects of transactions and holds. The functions without them stay, for the servers that are yet to be replaced."""
    op.add_column("ledger_transactions", sa.Column("subject_id", sa.Uuid()))
    op.add_column("ledger_holds", sa.Column("resource", sa.Text()))
    op.add_column("ledger_holds", sa.Column("subject_id", sa.Uuid()))
    for name in ("spend", "charge", "write", "guard"):
        op.execute((_SQL / f"{name}.sql").read_text(encoding="utf-8"))
