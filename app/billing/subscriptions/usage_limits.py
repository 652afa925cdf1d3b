"""What is included follows the plan: called in the unit that changes what a workspace subscribes to.

    before = held_by(row)                                                # before anything of the row is changed
    ...
    await follow(session, catalog, workspace_id, before, terms, at=at)   # None for the fallback plan

A change that was paid for counts from when it was charged, however late it becomes known, but never in a period that has ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.billing.allowances.plan_changes import follow_plan, keep_limits, running_period
from app.billing.subscriptions.given_until import end_of
from app.billing.subscriptions.goals import CHANGE_ID, Snapshot
from app.billing.subscriptions.kept_terms import find_terms_in
from app.catalog import Catalog, PlanTerms, plan_terms
from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionChangeRow, SubscriptionRow
from app.db.tables.usage import UsageStateRow
from app.store import subscriptions as subscription_store
from app.store import usage_states as usage_state_store


class Held(NamedTuple):
    """What a workspace is on: the terms' id, None on the fallback plan, and until when where they were given."""

    terms_id: str | None = None
    given_until: datetime | None = None


def held_by(row: SubscriptionRow | None) -> Held:
    """What a row says that its workspace is on."""
    return Held(row.terms_id, end_of(row)) if row is not None else Held()


async def follow(
    session: Session, catalog: Catalog, workspace_id: UUID, before: Held, terms: PlanTerms | None, *, at: datetime
) -> None:
    """Let the limits of a workspace follow its plan from a time on; the row of what it subscribes to is locked.

    Of a given plan that has ended by then the end is followed first.
    """
    if before == Held(terms.id if terms is not None else None):
        return
    fallback = plan_terms(catalog, catalog.fallback_plan)
    state = await usage_state_store.lock(session, workspace_id)
    held = await _followed(session, catalog, state, before.terms_id)
    if before.given_until is not None and before.given_until <= at:
        await follow_plan(session, catalog, state, before=held, after=fallback, at=before.given_until)
        held = fallback
    if at < session.now:
        at = max(at, (await running_period(session, workspace_id)).start)
    await follow_plan(session, catalog, state, before=held, after=terms or fallback, at=at)


async def stay(session: Session, catalog: Catalog, workspace_id: UUID, terms_id: str) -> None:
    """Let the limits of a workspace stay as they are while it is between two plans; `settle` follows."""
    terms = await find_terms_in(session, catalog, terms_id)
    if terms is not None:
        await keep_limits(session, catalog, await usage_state_store.lock(session, workspace_id), terms)


async def settle(session: Session, catalog: Catalog, workspace_id: UUID) -> None:
    """Let the limits of a workspace follow what it is on after all, where they were left as they were."""
    row = await subscription_store.lock(session, workspace_id)
    terms_id = row.terms_id if row is not None else None
    terms = await find_terms_in(session, catalog, terms_id) if terms_id is not None else None
    if terms is None and terms_id is not None:
        return
    state = await usage_state_store.lock(session, workspace_id)
    held = await _followed(session, catalog, state, terms_id)
    after = terms or plan_terms(catalog, catalog.fallback_plan)
    await follow_plan(session, catalog, state, before=held, after=after, at=session.now)


async def billed_since(session: Session, row: SubscriptionRow, snapshot: Snapshot, terms_id: str) -> datetime:
    """Since when a workspace is on what the provider bills it for; `row` is what was known of it before."""
    subscription = snapshot.subscription
    if row.provider_id != subscription.id:
        return subscription.started_at
    if row.terms_id == terms_id:
        return session.now
    change_id = subscription.metadata.get(CHANGE_ID)
    change = await _change(session, row.workspace_id, change_id) if change_id is not None else None
    if change is not None and change.prorated_at is not None and change.goal["now"] is not None:
        is_later = row.period_start is None or change.prorated_at >= row.period_start
        if is_later and change.goal["now"]["terms_id"] == terms_id:
            return change.prorated_at
    return snapshot.period_start if snapshot.period_start != row.period_start else session.now


async def _change(session: Session, workspace_id: UUID, change_id: str) -> SubscriptionChangeRow | None:
    try:
        return await subscription_store.change(session, workspace_id, UUID(change_id))
    except ValueError:
        # metadata can be changed by hand
        return None


async def _followed(session: Session, catalog: Catalog, state: UsageStateRow, terms_id: str | None) -> PlanTerms | None:
    """The terms that limits follow; those with this id, or the fallback plan's, where that was not noted yet."""
    known_id = state.terms_id or terms_id
    if known_id is None:
        return plan_terms(catalog, catalog.fallback_plan)
    return await find_terms_in(session, catalog, known_id)
