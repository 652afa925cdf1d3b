"""When a session's cookie was last sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_session_cookies"
down_revision = "0007_ledger_speed"


def upgrade() -> None:
    """Add the column, empty: the cookie of no session was sent again yet."""
    op.add_column("sessions", sa.Column("cookie_renewed_at", sa.DateTime(timezone=True), nullable=True))
