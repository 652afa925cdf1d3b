"""Plans that are given, without anything at the provider, and what comes with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018_given_plans"
down_revision = "0017_subscriptions"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Let a workspace be on terms that nothing at the provider bills; remember who had a trial, and who asked for the sellers."""
    op.drop_constraint(op.f("subscriptions_live_has_terms_check"), "subscriptions", type_="check")
    op.create_check_constraint(
        op.f("subscriptions_live_has_terms_check"), "subscriptions", "provider_id IS NULL OR terms_id IS NOT NULL"
    )
    op.create_table(
        "trial_uses",
        sa.Column("identity_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("kept_until", _TIME, nullable=False, index=True),
    )
    op.create_table(
        "sales_requests",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("sales_requests_user_id_idx", "sales_requests", ["user_id"])
    op.create_index("sales_requests_created_at_idx", "sales_requests", ["created_at"])
