"""Until when a workspace is on a plan that was given."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from app.db.tables.subscriptions import SubscriptionRow
from app.store.subscriptions import Subscribed
from app.store.usage_ingest import CountedWorkspace

OnPlan: TypeAlias = SubscriptionRow | Subscribed | CountedWorkspace
"""What tells which plan a workspace is on, and until when; see `SubscriptionRow`."""


def is_given(row: OnPlan) -> bool:
    """Whether a workspace is on a given plan, or was until its end and nobody has written that down yet."""
    return row.provider_id is None and row.terms_id is not None


def end_of(row: OnPlan) -> datetime | None:
    """When a given plan ends; None for one without an end, and where no plan is given."""
    return (row.trial_ends_at or row.ends_at) if is_given(row) else None
