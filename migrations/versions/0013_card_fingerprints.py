"""By which a card that is saved again is known; null until the cards of a workspace are next mirrored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_card_fingerprints"
down_revision = "0012_customers"


def upgrade() -> None:
    """Add the column."""
    op.add_column("cards", sa.Column("fingerprint", sa.Text, nullable=True))
