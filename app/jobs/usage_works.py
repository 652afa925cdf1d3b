"""What the worker finds to do by itself with usage: paying what a call left, telling of new periods and of limits, and
forgetting old events.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.jobs.schedule import DueWork, Every, each_alone
from app.metering import paying, usage_warnings
from app.metering.period_turns import begin_new_periods
from app.metering.usage_events import EVENTS_KEPT
from app.store import usage_events as usage_event_store
from app.store import usage_states as usage_state_store
from app.store import usage_warnings as usage_warning_store

_BATCH: Final = 50
_FORGOTTEN_AT_ONCE: Final = 5_000
_FORGET_EVERY: Final = timedelta(hours=1)


def usage_works(context: FlowContext) -> list[DueWork]:
    """What falls due with usage."""
    return [
        DueWork(
            "usage_dues",
            paying.next_left_at,
            lambda: paying.pay_left(context.database, context.catalog, limit=_BATCH),
        ),
        DueWork(
            "usage_turns",
            usage_state_store.next_turn_at,
            lambda: turn_periods(context),
        ),
        DueWork("usage_warnings", usage_warning_store.oldest_untold_at, lambda: _tell_owners(context)),
        DueWork("usage_events", None, Every(context.database, _FORGET_EVERY, lambda: forget_old_events(context)).run),
    ]


async def turn_periods(context: FlowContext) -> int:
    """Begin the new period of workspaces whose last one has ended; returns of how many."""
    async with context.database.read() as session:
        turning = await usage_state_store.turning(session, limit=_BATCH)
    if turning:
        await transact(context.database, lambda session: begin_new_periods(session, turning), step="usage.turn")
    return len(turning)


async def _tell_owners(context: FlowContext) -> int:
    async with context.database.read() as session:
        due = await usage_warning_store.workspaces_to_tell(session, limit=_BATCH)

    async def tell(workspace_id: UUID, _: UUID) -> None:
        await transact(
            context.database,
            lambda session: usage_warnings.tell_owners(session, context.catalog, workspace_id),
            step="usage.warn",
        )

    # the owners of a workspace are told all at once, so its own id stands in the object's place
    return await each_alone("usage_warnings", [(each, each) for each in due], tell)


async def forget_old_events(context: FlowContext) -> int:
    """Forget the events that are known no more, in small steps, so that nobody waits for it; returns how many."""

    async def forget(session: Session) -> int:
        before = session.now - EVENTS_KEPT
        return await usage_event_store.forget(session, before, limit=_FORGOTTEN_AT_ONCE)

    forgotten, some = 0, _FORGOTTEN_AT_ONCE
    while some == _FORGOTTEN_AT_ONCE:
        some = await transact(context.database, forget, step="clean.usage_events")
        forgotten += some
    return forgotten
