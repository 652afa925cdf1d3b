"""The turn of a period, in which nobody need send anything: open screens are told that a new one has begun."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from app.billing.allowances.usage_periods import usage_period
from app.db.engine import Session
from app.store import usage_states as usage_state_store
from app.store import workspaces as workspace_store


async def begin_new_periods(session: Session, workspace_ids: Collection[UUID]) -> None:
    """Tell of the new period of those of the workspaces whose last one has ended; who does so after another finds nothing to do."""
    for workspace_id, state in (await usage_state_store.lock_turning(session, workspace_ids)).items():
        anchor = await workspace_store.usage_anchor(session, workspace_id)
        if anchor is not None:
            state.turns_at = usage_period(anchor, session.now).end
            usage_state_store.changed(session, state)
