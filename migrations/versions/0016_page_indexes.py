"""Indexes by which a billing page costs the same however much lies behind it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016_page_indexes"
down_revision = "0015_plan_terms"


def upgrade() -> None:
    """Add them: what was charged since a time, what is being paid, and the invoice of a purchase."""
    op.create_index(
        "credit_purchases_charged_idx",
        "credit_purchases",
        ["workspace_id", "charged_at"],
        postgresql_where=sa.text("charged_at IS NOT NULL"),
    )
    op.create_index(
        "credit_purchases_under_way_idx",
        "credit_purchases",
        ["workspace_id"],
        postgresql_where=sa.text("pay_sent_at IS NOT NULL AND status IN ('PENDING', 'ACTION_REQUIRED')"),
    )
    op.create_index(
        "invoices_purchase_idx",
        "invoices",
        ["workspace_id", "purchase_id"],
        postgresql_where=sa.text("purchase_id IS NOT NULL"),
    )
