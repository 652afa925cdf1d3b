"""The limits of a workspace whose given plan has ended by the clock, which nobody has written down yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from app.billing.allowances.limits import Counted, Limit, PlanChange, limits_now
from app.billing.allowances.plan_changes import follow_plan
from app.billing.allowances.usage_periods import usage_period
from app.billing.subscriptions.given_plans import as_of
from app.billing.subscriptions.given_until import end_of
from app.billing.subscriptions.kept_terms import find_terms, find_terms_in
from app.billing.subscriptions.workspace_plan import fallback_terms, terms_of_subscribed
from app.catalog import Catalog
from app.db.engine import Session
from app.db.reads import Reads
from app.store import subscriptions as subscription_store
from app.store import usage_states as usage_state_store
from app.store.subscriptions import Subscribed


async def follow_lapsed(session: Session, catalog: Catalog, workspace_id: UUID) -> None:
    """Let the limits of a workspace follow the end of its given plan, or what the fallback plan is by today's catalog.

    Called before anything is counted where the terms that limits follow are not those that the workspace is on now.
    """
    state = await usage_state_store.lock(session, workspace_id)
    if state.terms_id is None:
        return
    # read once the state is locked: who changes the plan waits for it, and follows what is written here
    row = await subscription_store.find(session, workspace_id)
    fallback, held = fallback_terms(catalog), await find_terms_in(session, catalog, state.terms_id)
    given_until = end_of(row) if row is not None else None
    if given_until is not None and given_until <= session.now:
        await follow_plan(session, catalog, state, before=held, after=fallback, at=given_until)
    elif (row is None or row.terms_id is None) and held is not None and held.plan.code == fallback.plan.code:
        await follow_plan(session, catalog, state, before=held, after=fallback, at=session.now)


async def limits_seen(
    reads: Reads, catalog: Catalog, subscribed: Subscribed, *, followed: str | None, counted: Mapping[str, Counted]
) -> Mapping[str, Limit]:
    """The limit of each resource in the running period, by its code, as of now.

    `followed` are the terms that limits follow (`UsageStateRow.terms_id`), and `counted` what is kept of the period's counters.
    """
    now = reads.now
    present = await terms_of_subscribed(reads, catalog, as_of(subscribed, now))
    unwritten = None
    ended_at = _ended_at(subscribed, now)
    if ended_at is not None and followed is not None and followed != present.id:
        held = await find_terms(reads, catalog, followed)
        unwritten = PlanChange(held.plan, present.plan, ended_at) if held is not None else None
    period = usage_period(subscribed, now)
    return limits_now(catalog, subscribed, period, present.plan, counted, unwritten=unwritten)


def _ended_at(subscribed: Subscribed, now: datetime) -> datetime | None:
    """When a given plan ended; None where it has not, or there is none."""
    ends_at = end_of(subscribed)
    return ends_at if ends_at is not None and ends_at <= now else None
