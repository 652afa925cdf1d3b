"""Users, workspaces, sign-ups, sessions, keys, phones, rate limits."""

from __future__ import annotations

revision = "0002_accounts"
down_revision = "0001_system"


def upgrade() -> None:
    """Create the tables."""
