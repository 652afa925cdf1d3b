"""The tables. Importing this package knows them all."""

from app.db.tables import (
    access,
    billing_details,
    deletions,
    development_inbox,
    ledger,
    payments,
    people,
    plan_moves,
    provider,
    purchases,
    security,
    subscriptions,
    system,
    trials,
    usage,
    workspaces,
)
from app.db.tables.base import Base

__all__ = [
    "Base",
    "access",
    "billing_details",
    "deletions",
    "development_inbox",
    "ledger",
    "payments",
    "people",
    "plan_moves",
    "provider",
    "purchases",
    "security",
    "subscriptions",
    "system",
    "trials",
    "usage",
    "workspaces",
]
