"""Refunds, and what is known of the money that went back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_refunds"
down_revision = "0004_payments"


def upgrade() -> None:
    """Add the columns, zero in the rows there are, and create the table."""
    for table, column in (("credit_purchases", "lost_minor"), ("invoices", "returns_looks")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
        op.alter_column(table, column, server_default=None)
    op.create_table(
        "refunds",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("refunds_amount_check")),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("refunds_pkey")),
    )
    op.create_index(
        "refunds_requested_key",
        "refunds",
        ["workspace_id", "purchase_id"],
        unique=True,
        postgresql_where=sa.text("status = 'REQUESTED'"),
    )
    op.create_index(
        "refunds_unsent_idx",
        "refunds",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
