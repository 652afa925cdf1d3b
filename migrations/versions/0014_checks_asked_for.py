"""When the provider is asked about a card that is being saved, and when somebody last asked for an early check."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_checks_asked_for"
down_revision = "0013_card_fingerprints"


def upgrade() -> None:
    """Add the columns; without a time nothing is due."""
    op.add_column("credit_purchases", sa.Column("check_asked_at", sa.DateTime(timezone=True), nullable=True))
    for column in ("cards_check_at", "cards_check_until", "cards_check_asked_at"):
        op.add_column("billing_accounts", sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "billing_accounts_cards_check_at_idx",
        "billing_accounts",
        ["cards_check_at"],
        postgresql_where=sa.text("cards_check_at IS NOT NULL"),
    )
