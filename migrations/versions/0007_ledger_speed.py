"""The ledger's optimistic way with a fast lane: charges that one grant covers."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007_ledger_speed"
down_revision = "0006_people"

_SQL = Path(__file__).with_name("0007_ledger_speed_sql")


def upgrade() -> None:
    """Create the function; `ledger_spend` stays, for what it leaves and for the processes that are yet to be replaced."""
    op.execute((_SQL / "charge.sql").read_text(encoding="utf-8"))
