"""Which workspaces a deletion takes along: for as long as any does, they stay closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0009_deletions_hold"
down_revision = "0008_session_cookies"


def upgrade() -> None:
    """Add the column; deletions under way learn what they take when they are gone on with."""
    op.add_column("deletions", sa.Column("workspace_ids", ARRAY(sa.Uuid), nullable=False, server_default="{}"))
    op.alter_column("deletions", "workspace_ids", server_default=None)
