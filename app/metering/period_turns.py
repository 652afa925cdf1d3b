"""The turn of a period, in which nobody need send anything: open screens are told that a new one has begun."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from app.billing.allowances.usage_periods import usage_period
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.store import usage_states as usage_state_store
from app.store import workspaces as workspace_store


async def turn_due(database: Database, *, limit: int) -> int:
    """Begin the new period of at most `limit` workspaces whose last one has ended; returns of how many."""
    async with database.read() as session:
        turning = await usage_state_store.turning(session, limit=limit)
    if turning:
        await transact(database, lambda session: _turn(session, turning), step="usage.turn")
    return len(turning)


async def _turn(session: Session, workspace_ids: Collection[UUID]) -> None:
    for workspace_id, state in (await usage_state_store.lock_turning(session, workspace_ids)).items():
        anchor = await workspace_store.usage_anchor(session, workspace_id)
        if anchor is not None:
            state.turns_at = usage_period(anchor, session.now).end
            usage_state_store.changed(session, state)
