"""Plans that are given, without anything at the provider, and what comes with them."""

from __future__ import annotations

from alembic import op

revision = "0018_given_plans"
down_revision = "0017_subscriptions"


def upgrade() -> None:
    """Let a workspace be on terms that nothing at the provider bills."""
    op.drop_constraint(op.f("subscriptions_live_has_terms_check"), "subscriptions", type_="check")
    op.create_check_constraint(
        op.f("subscriptions_live_has_terms_check"), "subscriptions", "provider_id IS NULL OR terms_id IS NOT NULL"
    )
