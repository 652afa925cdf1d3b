"""Customers, cards, purchases, invoices and Stripe's events."""

from __future__ import annotations

revision = "0004_payments"
down_revision = "0003_ledger"


def upgrade() -> None:
    """Create the tables."""
