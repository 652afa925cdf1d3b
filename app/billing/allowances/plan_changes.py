"""What a change of plan, and the first subscription, do to the counters of a workspace.

All of it happens in the unit that changes the plan. The state of the workspace's usage is locked by the caller, after the billing
account and the subscription, so that nothing is counted meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.billing.allowances.limits import Counted, PlanChange, counters, limit_of, moved
from app.billing.allowances.usage_periods import Anchored, UsagePeriod, period_before, usage_period
from app.catalog import Catalog, Plan, PlanTerms
from app.db.engine import Session
from app.db.tables.usage import UsageStateRow
from app.errors import NotFound
from app.store import usage_counters as usage_counter_store
from app.store import usage_states as usage_state_store
from app.store import workspaces as workspace_store
from app.store.usage_counters import NewCounter
from app.store.workspaces import UsageAnchor

# As far back as events are counted that come late.
_PERIODS_BEFORE: Final = 2
_SECOND: Final = timedelta(seconds=1)


async def follow_plan(
    session: Session,
    catalog: Catalog,
    state: UsageStateRow,
    *,
    before: PlanTerms | None,
    after: PlanTerms,
    at: datetime,
) -> None:
    """Let the limits of counters follow a plan that a workspace is on from a time on; nothing where they follow it already.

    Where the terms before are unknown, what is written down of limits stays.
    """
    if state.terms_id == after.id:
        return
    state.terms_id = after.id
    if before is None or before.id == after.id:
        return
    workspace = await _anchor(session, state.workspace_id)
    first = await _keep_limits(session, catalog, state.workspace_id, workspace, before.plan)
    change = PlanChange(before.plan, after.plan, at)
    for row in await usage_counter_store.since(session, state.workspace_id, first):
        period = UsagePeriod(row.period_start, row.period_end)
        if catalog.resource(row.resource) is not None:
            counted = Counted(row.used, row.allowance, row.price)
            row.allowance, row.price = moved(catalog, workspace, period, row.resource, counted, change)
    usage_state_store.changed(session, state)


async def keep_limits(session: Session, catalog: Catalog, state: UsageStateRow, terms: PlanTerms) -> None:
    """Write the limits down that a workspace has by its terms, so that they stay until `follow_plan` moves them."""
    if state.terms_id is None:
        state.terms_id = terms.id
    workspace = await _anchor(session, state.workspace_id)
    await _keep_limits(session, catalog, state.workspace_id, workspace, terms.plan)


async def lock_unanchored(session: Session, workspace_id: UUID) -> bool:
    """Whether a workspace never subscribed. It is locked then, before the billing account: whoever changes both does so."""
    found = await workspace_store.usage_anchor(session, workspace_id)
    if found is None or found.usage_anchor is not None:
        return False
    return await workspace_store.lock(session, workspace_id) is not None


async def anchor_usage(session: Session, catalog: Catalog, workspace_id: UUID, started_at: datetime) -> None:
    """Count a workspace's periods from its first subscription's start on; the one that is running becomes longer.

    Once only: nothing where that was done before. `lock_unanchored` came first.
    """
    state = await usage_state_store.lock(session, workspace_id)
    if (await _anchor(session, workspace_id)).usage_anchor is not None:
        return
    running = await running_period(session, workspace_id)
    if timedelta(0) < running.start - started_at < _SECOND:
        # the provider counts whole seconds, and this is the very one in which the period began
        started_at = running.start
    await workspace_store.anchor_usage(session, workspace_id, started_at)
    start, end = await running_period(session, workspace_id)
    if end == running.end:
        return
    gauges = [resource.code for resource in catalog.resources if resource.is_gauge]
    await usage_counter_store.lengthen(session, workspace_id, start, end, gauges=gauges)
    if state.turns_at is not None:
        state.turns_at = end
    usage_state_store.changed(session, state)


async def running_period(session: Session, workspace_id: UUID) -> UsagePeriod:
    """The usage period of a workspace that is running. Raises `NotFound` where there is no such workspace."""
    return usage_period(await _anchor(session, workspace_id), session.now)


async def _keep_limits(
    session: Session, catalog: Catalog, workspace_id: UUID, workspace: Anchored, plan: Plan
) -> datetime:
    """Write down the limits of a plan in the running period and those before where none are; returns when the first begins."""
    periods = [usage_period(workspace, session.now)]
    while len(periods) <= _PERIODS_BEFORE and periods[-1].start > workspace.created_at:
        periods.append(period_before(workspace, periods[-1]))
    kept = [
        NewCounter(*period, resource.code, *limit_of(catalog, plan, resource.code))
        for period in periods
        for resource in counters(catalog)
    ]
    await usage_counter_store.put(session, workspace_id, kept)
    return periods[-1].start


async def _anchor(session: Session, workspace_id: UUID) -> UsageAnchor:
    found = await workspace_store.usage_anchor(session, workspace_id)
    if found is None:
        raise NotFound
    return found
