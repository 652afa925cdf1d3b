"""The ledger."""

from __future__ import annotations

revision = "0003_ledger"
down_revision = "0002_accounts"


def upgrade() -> None:
    """Create the tables."""
