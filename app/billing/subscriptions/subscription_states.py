"""The mirror of the provider's subscription: what a workspace is on, what is decided for later, and when it is looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.billing.allowances.plan_changes import anchor_usage, lock_unanchored
from app.billing.subscriptions import owner_notices, usage_limits
from app.billing.subscriptions.goals import CHANGE_ID, TERMS_ID, Snapshot, goal_from_json, terms_ids_of
from app.billing.subscriptions.pending_changes import PendingChange, PendingChangeKind, pending_as_json
from app.billing.subscriptions.plan_choice import PlanChoice, choice_as_json, choice_billed_by, choice_from_json
from app.billing.subscriptions.sold_terms import Sold
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.subscriptions import ChangeState, SubscriptionChangeRow, SubscriptionRow, SubscriptionState
from app.payments.subscription_values import ProviderSubscription, SubscriptionStatus
from app.store import billing_accounts as billing_account_store
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store

REFRESH_UPCOMING: Final = "refresh_upcoming"
"""The task that asks the provider for the next bill, whoever changed the subscription."""
VOID_UNPAID: Final = "void_unpaid"
"""The task that calls off what is unpaid of a subscription that has ended."""

CHECK_EVERY: Final = timedelta(days=1)
"""Events may never come: what is live is fetched at least this often."""
_CHECK_AGAIN: Final = timedelta(minutes=5)
# The provider renews a little after the period's end, and charges about an hour later.
_RENEWED_BY: Final = timedelta(minutes=1)
_CHARGED_BY: Final = timedelta(minutes=70)

LIVE: Final = frozenset(
    {
        SubscriptionStatus.TRIALING,
        SubscriptionStatus.ACTIVE,
        SubscriptionStatus.PAST_DUE,
        SubscriptionStatus.UNPAID,
        SubscriptionStatus.PAUSED,
    }
)
"""In these a subscription is what its workspace is on. One that was never paid is not."""

_STATE: Final = {
    SubscriptionStatus.TRIALING: SubscriptionState.TRIALING,
    SubscriptionStatus.ACTIVE: SubscriptionState.ACTIVE,
    SubscriptionStatus.PAST_DUE: SubscriptionState.PAST_DUE,
    SubscriptionStatus.UNPAID: SubscriptionState.PAST_DUE,
    # nothing is billed until the seller resumes it, so it counts as not paid
    SubscriptionStatus.PAUSED: SubscriptionState.PAST_DUE,
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def present_choice(row: SubscriptionRow, sold: Sold) -> PlanChoice | None:
    """What the mirrored subscription was paid for; None on the fallback plan."""
    if row.terms_id is None:
        return None
    kept = {"interval": row.interval, "seats": row.seats, "add_ons": row.add_ons}
    return choice_from_json(kept, sold.by_id[row.terms_id])


def billed_choice(snapshot: Snapshot, sold: Sold, *, preferred: Iterable[str | None] = ()) -> PlanChoice | None:
    """What a provider's subscription is for; None where it has a price that is not of our making, or a mixture of plans."""
    subscription = snapshot.subscription
    quantities = {snapshot.lookup_key(item.price_id): item.quantity for item in subscription.items}
    candidates = sold.candidates(subscription.metadata.get(TERMS_ID), *preferred)
    return choice_billed_by(sold.catalog, candidates, quantities)


async def mirror(session: Session, workspace_id: UUID, sold: Sold, snapshot: Snapshot | None) -> bool:
    """Bring the row in line with the workspace's live subscription (None: there is none); returns whether anything changed.

    `snapshot` was fetched after the event that made the caller fetch it. A price that nobody here knows keeps the plan as it was.
    """
    is_first = snapshot is not None and await lock_unanchored(session, workspace_id)
    await billing_account_store.lock(session, workspace_id)
    row = await subscription_store.lock(session, workspace_id)
    if snapshot is None:
        is_over = row is not None and row.provider_id is not None
        if row is not None and is_over:
            await _end(session, sold.catalog, row)
        return is_over
    change = await subscription_store.change_in_flight(session, workspace_id)
    values = _values(session, sold, row, snapshot, change)
    if values is None:
        _log.warning("subscription.unknown_price", workspace=str(workspace_id), subscription=snapshot.subscription.id)
        return False
    if row is None:
        row = SubscriptionRow(workspace_id=workspace_id, add_ons={}, version=0, status=SubscriptionState.ACTIVE.value)
        row.changed_at = row.checked_at = session.now
        session.add(row)
    is_same = row.provider_id == snapshot.subscription.id
    before = present_choice(row, sold) if is_same else None
    had_ended = is_same and row.ends_at is not None
    held, terms = usage_limits.held_by(row), sold.by_id[values["terms_id"]]
    since = await usage_limits.billed_since(session, row, snapshot, terms.id)
    is_changed = await _take_over(session, row, values)
    if is_first:
        await anchor_usage(session, sold.catalog, workspace_id, snapshot.subscription.started_at)
    if is_changed:
        await usage_limits.follow(session, sold.catalog, workspace_id, held, terms, at=since)
        await _tell(session, row, sold, snapshot, before, had_ended=had_ended)
    await owner_notices.tell_of_unpaid(session, row, snapshot.subscription.latest_invoice_id)
    row.next_check_at, row.checked_at = next_check(session.now, row, snapshot), session.now
    return is_changed


async def _tell(
    session: Session,
    row: SubscriptionRow,
    sold: Sold,
    snapshot: Snapshot,
    before: PlanChoice | None,
    *,
    had_ended: bool,
) -> None:
    """Tell the owners of what has changed: what is paid for, and that it was canceled."""
    now = present_choice(row, sold)
    if now is not None:
        change_id = snapshot.subscription.metadata.get(CHANGE_ID)
        await owner_notices.tell_of_change(session, row, before, now, change_id)
    if row.ends_at is not None and not had_ended:
        await owner_notices.tell_of_cancellation(session, row, snapshot.subscription.canceled_at)


def next_check(now: datetime, row: SubscriptionRow, snapshot: Snapshot) -> datetime | None:
    """When something of a live subscription falls due next: a renewal, its charge, the end, the end of grace."""
    dues = [snapshot.period_end + _RENEWED_BY, snapshot.period_end + _CHARGED_BY, snapshot.period_start + _CHARGED_BY]
    dues += [moment + _RENEWED_BY for moment in (row.ends_at, row.grace_ends_at) if moment is not None]
    return min((due for due in dues if due > now), default=None)


async def check_later(session: Session, workspace_id: UUID) -> None:
    """Let the worker fetch a subscription again in a while, where it can't be fetched now."""
    await billing_account_store.lock(session, workspace_id)
    row = await subscription_store.lock(session, workspace_id)
    if row is not None and row.provider_id is not None:
        row.next_check_at, row.checked_at = session.now + _CHECK_AGAIN, session.now


async def _end(session: Session, catalog: Catalog, row: SubscriptionRow) -> None:
    """The workspace falls back: the paid subscription has ended. One that was ended to move to another plan was not canceled."""
    before, held, ends_at = summary_of(row), usage_limits.held_by(row), row.ends_at
    was_unpaid = row.status == SubscriptionState.PAST_DUE
    is_moved = await plan_move_store.ends(session, row.workspace_id, str(row.provider_id))
    if not is_moved:
        await owner_notices.tell_of_end(session, row, was_unpaid=was_unpaid)
    arguments = {"workspace_id": str(row.workspace_id), "subscription_id": str(row.provider_id)}
    session.outbox.enqueue(VOID_UNPAID, arguments)
    row.status = (SubscriptionState.ACTIVE if is_moved else SubscriptionState.CANCELED).value
    row.provider_id = row.terms_id = row.interval = row.seats = row.schedule_id = row.pending = None
    row.add_ons = {}
    row.period_start = row.period_end = row.ends_at = row.trial_ends_at = row.grace_ends_at = row.next_check_at = None
    summary = "The subscription ended unpaid." if was_unpaid and not is_moved else "The subscription ended."
    await audit_log.record(session, row.workspace_id, SYSTEM, "subscription.ended", summary, before=before)
    changed(session, row)
    if is_moved and held.terms_id is not None:
        # what comes next counts from here, as if nothing had been between the two
        await usage_limits.stay(session, catalog, row.workspace_id, held.terms_id)
        return
    at = ends_at if ends_at is not None and ends_at < session.now else session.now
    await usage_limits.follow(session, catalog, row.workspace_id, held, None, at=at)


async def _take_over(session: Session, row: SubscriptionRow, values: Mapping[str, Any]) -> bool:
    before = summary_of(row)
    was_new = row.provider_id is None
    if not was_new and all(getattr(row, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(row, name, value)
    after = summary_of(row)
    if was_new:
        summary = "A subscription began."
        await audit_log.record(session, row.workspace_id, SYSTEM, "subscription.started", summary, after=after)
    elif before != after:
        summary = "The subscription changed."
        await audit_log.record(
            session, row.workspace_id, SYSTEM, "subscription.changed", summary, before=before, after=after
        )
    changed(session, row)
    return True


def changed(session: Session, row: SubscriptionRow) -> None:
    """Raise the version of what is shown, tell it to open screens, and have the next bill asked for where there will be one."""
    row.changed_at = session.now
    row.version += 1
    subscription_store.hint_changed(session, row.workspace_id)
    if row.provider_id is not None:
        session.outbox.enqueue(REFRESH_UPCOMING, {"workspace_id": str(row.workspace_id)})


def _values(
    session: Session,
    sold: Sold,
    row: SubscriptionRow | None,
    snapshot: Snapshot,
    change: SubscriptionChangeRow | None,
) -> dict[str, Any] | None:
    """The row's columns as the provider has it; None where nothing tells which plan it is."""
    subscription = snapshot.subscription
    known = row.terms_id if row is not None and row.provider_id == subscription.id else None
    choice = billed_choice(snapshot, sold, preferred=[known])
    if choice is None:
        choice = present_choice(row, sold) if row is not None and known is not None else None
        if choice is None:
            return None
        _log.warning("subscription.unknown_price", subscription=subscription.id)
    state = _STATE[subscription.status]
    grace_ends_at = None
    if state is SubscriptionState.PAST_DUE:
        known_grace = row.grace_ends_at if row is not None else None
        grace_ends_at = known_grace or session.now + timedelta(days=sold.catalog.grace_days)
    pending = _pending(sold, snapshot, choice, change)
    kept, ends_at = pending_as_json(pending) if pending is not None else None, subscription.ends_at
    is_known = row is not None and row.provider_id == subscription.id
    if row is not None and is_known and change is not None and change.state != ChangeState.AWAITING_PAYMENT:
        # while a change is being made its steps are nobody's decision: what was pending stays until the change is at its end
        kept, ends_at = row.pending, row.ends_at
    return {
        "provider_id": subscription.id,
        "status": state.value,
        **choice_as_json(choice),
        "started_at": subscription.started_at,
        "period_start": snapshot.period_start,
        "period_end": snapshot.period_end,
        "ends_at": ends_at,
        # the first paid plan ends a trial
        "trial_ends_at": None,
        "grace_ends_at": grace_ends_at,
        "schedule_id": snapshot.schedule.id if snapshot.schedule is not None else None,
        "pending": kept,
    }


def _pending(
    sold: Sold, snapshot: Snapshot, present: PlanChoice, change: SubscriptionChangeRow | None
) -> PendingChange | None:
    """What is decided for later. An upgrade that awaits its payment stands before what it would displace."""
    subscription = snapshot.subscription
    if subscription.pending_update is not None:
        awaited = _awaited(sold, snapshot, present, change)
        expires_at = subscription.pending_update.expires_at
        if change is not None and change.expires_at is not None:
            expires_at = min(expires_at, change.expires_at)
        return PendingChange(
            kind=PendingChangeKind.AWAITING_PAYMENT,
            choice=awaited,
            invoice_id=subscription.latest_invoice_id,
            expires_at=expires_at,
        )
    if subscription.ends_at is not None:
        return PendingChange(kind=PendingChangeKind.CANCELLATION, choice=None, effective_at=subscription.ends_at)
    phase = snapshot.next_phase
    if phase is None:
        return None
    later = _phase_choice(sold, snapshot, present)
    return PendingChange(kind=PendingChangeKind.DOWNGRADE, choice=later or present, effective_at=phase.starts_at)


def _awaited(sold: Sold, snapshot: Snapshot, present: PlanChoice, change: SubscriptionChangeRow | None) -> PlanChoice:
    """What the pending update would make of the subscription: as our own change says, or else as its prices tell."""
    pending = snapshot.subscription.pending_update
    if change is not None and change.goal["now"] is not None:
        known = {each: sold.by_id[each] for each in terms_ids_of(change.goal)}
        return goal_from_json(change.goal, known).now or present
    quantities = {snapshot.lookup_key(item.price_id): item.quantity for item in (pending.items if pending else ())}
    candidates = sold.candidates(pending.metadata.get(TERMS_ID) if pending else None, present.terms.id)
    return choice_billed_by(sold.catalog, candidates, quantities) or present


def _phase_choice(sold: Sold, snapshot: Snapshot, present: PlanChoice) -> PlanChoice | None:
    phase = snapshot.next_phase
    if phase is None:
        return None
    quantities = {snapshot.lookup_key(item.price_id): item.quantity for item in phase.items}
    candidates = sold.candidates(phase.metadata.get(TERMS_ID), present.terms.id)
    return choice_billed_by(sold.catalog, candidates, quantities)


def summary_of(row: SubscriptionRow) -> dict[str, object]:
    """What a workspace is on as the audit log describes it."""
    return {
        "terms": row.terms_id,
        "interval": row.interval,
        "seats": row.seats,
        "addOns": dict(row.add_ons),
        "status": row.status if row.terms_id is not None else None,
        "pending": row.pending["kind"] if row.pending is not None else None,
    }


def is_of_change(subscription: ProviderSubscription, change: SubscriptionChangeRow) -> bool:
    """Whether the provider has made this change of items: it was paid."""
    return subscription.metadata.get(CHANGE_ID) == str(change.id)


def is_waited_for(subscription: ProviderSubscription, change: SubscriptionChangeRow) -> bool:
    """Whether the provider holds this change back until it is paid."""
    pending = subscription.pending_update
    return pending is not None and pending.metadata.get(CHANGE_ID) == str(change.id)


def live_ones(subscriptions: Sequence[ProviderSubscription]) -> list[ProviderSubscription]:
    """Those that are live, the oldest first."""
    return sorted((each for each in subscriptions if each.status in LIVE), key=lambda each: (each.started_at, each.id))
