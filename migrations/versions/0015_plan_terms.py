"""The terms on which plans are or were sold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015_plan_terms"
down_revision = "0014_checks_asked_for"


def upgrade() -> None:
    """Add the table; the next sync of the catalog fills it."""
    op.create_table(
        "plan_terms",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("plan_code", sa.Text(), nullable=False),
        sa.Column("catalog_code", sa.Text(), nullable=False),
        sa.Column("prices_include_tax", sa.Boolean(), nullable=False),
        sa.Column("terms", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
