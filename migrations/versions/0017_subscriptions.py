"""Subscriptions: what workspaces subscribe to, changes of it, hosted pages, their bills, and what owners were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017_subscriptions"
down_revision = "0016_page_indexes"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables."""
    _add_subscriptions()
    _add_changes()
    _add_checkouts()
    _add_bills()
    op.create_table(
        "notices",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("reason", sa.Text(), primary_key=True),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_table(
        "fallback_plan",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("seats", sa.BigInteger(), nullable=False),
    )


def _add_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("provider_id", sa.Text(), unique=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.Text()),
        sa.Column("interval", sa.Text()),
        sa.Column("seats", sa.BigInteger()),
        sa.Column("add_ons", JSONB(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("started_at", _TIME),
        sa.Column("period_start", _TIME),
        sa.Column("period_end", _TIME),
        sa.Column("ends_at", _TIME),
        sa.Column("trial_ends_at", _TIME),
        sa.Column("grace_ends_at", _TIME),
        sa.Column("schedule_id", sa.Text()),
        sa.Column("pending", JSONB()),
        sa.Column("next_check_at", _TIME),
        sa.Column("checked_at", _TIME, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(provider_id IS NULL) = (terms_id IS NULL)", name="live_has_terms"),
        sa.CheckConstraint("(terms_id IS NULL) = (seats IS NULL)", name="terms_have_seats"),
    )
    _index_due("subscriptions")
    op.create_index(
        "subscriptions_checked_at_idx",
        "subscriptions",
        ["checked_at"],
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )


def _add_changes() -> None:
    op.create_table(
        "subscription_changes",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("mutation", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("input_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("goal", JSONB(), nullable=False),
        sa.Column("before", JSONB(), nullable=False),
        sa.Column("prorated_at", _TIME),
        sa.Column("invoice_id", sa.Text()),
        sa.Column("expires_at", _TIME),
        sa.Column("seats_left", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("failure_message", sa.Text()),
        sa.Column("decline_code", sa.Text()),
        sa.Column("next_check_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index(
        "subscription_changes_in_flight_key",
        "subscription_changes",
        ["workspace_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('UNDER_WAY', 'AWAITING_PAYMENT', 'UNDOING')"),
    )
    op.create_index(
        "subscription_changes_idempotency_key_key",
        "subscription_changes",
        ["workspace_id", "mutation", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    _index_due("subscription_changes")


def _add_checkouts() -> None:
    op.create_table(
        "subscription_checkouts",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("input_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("choice", JSONB(), nullable=False),
        sa.Column("session_id", sa.Text(), unique=True),
        sa.Column("url", sa.Text()),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("subscription_id", sa.Text()),
        sa.Column("next_check_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index(
        "subscription_checkouts_key_key", "subscription_checkouts", ["workspace_id", "idempotency_key"], unique=True
    )
    _index_due("subscription_checkouts")


def _add_bills() -> None:
    """Where invoices stand in their list, computed by the database: the last version's servers write invoices too."""
    op.add_column("invoices", sa.Column("subscription_id", sa.Text()))
    op.add_column("invoices", sa.Column("made_at", _TIME))
    place = sa.Computed("CASE WHEN subscription_id IS NULL THEN issued_at ELSE made_at END", persisted=True)
    op.add_column("invoices", sa.Column("listed_at", _TIME, place))
    op.create_index("invoices_listed_idx", "invoices", ["workspace_id", "listed_at", "id"])
    op.create_table(
        "upcoming_invoices",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("version", sa.BigInteger()),
        sa.Column("asked_at", _TIME),
        sa.Column("invoice", JSONB()),
        sa.Column("recurring_total_minor", sa.BigInteger()),
        sa.Column("tried_version", sa.BigInteger()),
        sa.Column("tried_at", _TIME),
        sa.Column("claim_id", sa.Uuid()),
        sa.Column("claimed_until", _TIME),
    )


def _index_due(table: str) -> None:
    op.create_index(
        f"{table}_next_check_at_idx",
        table,
        ["next_check_at"],
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )
