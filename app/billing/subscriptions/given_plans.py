"""Plans that are given: what a workspace is on without anything at the payment provider, as a trial or by an operator.

    await give(session, catalog, workspace_id, choice, actor=OPERATOR, ends_at=None)   # in place of a trial, or another
    await end(session, catalog, workspace_id, actor=OPERATOR)                          # at once; False where no plan is given

Both lock the billing account, write the audit log, mail the owners and tell open screens. A paid plan replaces a given one as soon
as it is mirrored, and is never replaced by one. At its end the workspace is on the fallback plan. That holds from the very moment,
for reads and units alike (`is_in_force`, `as_of`); the worker, which finds it by `next_check_at`, only writes it down.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM, Actor
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions import owner_notices, subscription_states, usage_limits
from app.billing.subscriptions.given_until import OnPlan, end_of, is_given
from app.billing.subscriptions.kept_terms import keep_terms_of
from app.billing.subscriptions.owner_notices import Notice
from app.billing.subscriptions.plan_choice import PlanChoice
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionRow, SubscriptionState
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store
from app.store.subscriptions import Subscribed

TOLD_BEFORE: Final = timedelta(days=3)
"""How long before the end of a trial its owners are mailed."""


class PaidPlan(DomainError):
    """This workspace has a paid plan, which goes before any that is given: end it first."""

    code = ErrorCode.CONFLICT


def is_in_force(row: OnPlan | None, now: datetime) -> bool:
    """Whether a workspace is on the terms that its row names; otherwise it is on the fallback plan."""
    if row is None or row.terms_id is None:
        return False
    ends_at = end_of(row)
    return ends_at is None or ends_at > now


def as_of(subscribed: Subscribed, now: datetime) -> Subscribed:
    """What a workspace is on at a time: a given plan whose end has passed counts as ended, whether or not the worker came to it."""
    if not is_given(subscribed) or is_in_force(subscribed, now):
        return subscribed
    return subscribed._replace(
        status=SubscriptionState.CANCELED.value,
        terms_id=None,
        interval=None,
        seats=None,
        add_ons=None,
        ends_at=None,
        trial_ends_at=None,
        pending=None,
    )


async def give(
    session: Session,
    catalog: Catalog,
    workspace_id: UUID,
    choice: PlanChoice,
    *,
    actor: Actor,
    ends_at: datetime | None = None,
) -> None:
    """Put a workspace on a plan that nothing is charged for, in place of a trial or another given plan.

    `choice` is the terms, seats and add-ons; its interval is left out. `ends_at` is when it ends by itself, None for never. Raises
    `PaidPlan` while there is a paid subscription, `InvalidInput` for an end that has passed, and `WorkspaceClosing`.
    """
    if ends_at is not None and ends_at <= session.now:
        raise InvalidInput("The end of a plan that is given lies in the future.")
    require_open(await billing_account_store.lock(session, workspace_id))
    row = await subscription_store.lock(session, workspace_id)
    if row is not None and row.provider_id is not None:
        raise PaidPlan
    before = subscription_states.summary_of(row) if row is not None else None
    row = await put(session, catalog, workspace_id, choice, status=SubscriptionState.ACTIVE, ends_at=ends_at)
    after = {**subscription_states.summary_of(row), "endsAt": ends_at.isoformat() if ends_at is not None else None}
    await audit_log.record(
        session,
        workspace_id,
        actor,
        "subscription.given",
        "The workspace was given a plan.",
        before=before,
        after=after,
    )
    await owner_notices.tell(session, workspace_id, Notice.PLAN_GIVEN, str(row.version), until=ends_at)


async def end(session: Session, catalog: Catalog, workspace_id: UUID, *, actor: Actor) -> bool:
    """End a trial or a given plan at once: the workspace is on the fallback plan. False where no plan is given."""
    await billing_account_store.lock(session, workspace_id)
    row = await subscription_store.lock(session, workspace_id)
    if row is None or not is_given(row):
        return False
    await _end(session, catalog, row, actor)
    return True


async def check_due(session: Session, catalog: Catalog, workspace_id: UUID) -> bool:
    """What the worker does with a given plan: tell that a trial ends soon, and write an end down. False where no plan is given."""
    await billing_account_store.lock(session, workspace_id)
    row = await subscription_store.lock(session, workspace_id)
    if row is None or not is_given(row):
        return False
    if not is_in_force(row, session.now):
        await _end(session, catalog, row, SYSTEM)
        return True
    if row.trial_ends_at is not None and row.trial_ends_at - TOLD_BEFORE <= session.now:
        reason = row.trial_ends_at.isoformat()
        await owner_notices.tell(session, workspace_id, Notice.TRIAL_ENDS_SOON, reason, until=row.trial_ends_at)
    row.next_check_at, row.checked_at = _next_check(session.now, row), session.now
    return True


async def put(
    session: Session,
    catalog: Catalog,
    workspace_id: UUID,
    choice: PlanChoice,
    *,
    status: SubscriptionState,
    ends_at: datetime | None = None,
    trial_ends_at: datetime | None = None,
) -> SubscriptionRow:
    """Write down that a workspace is on a given plan, and tell open screens; the billing account is locked, and nothing is paid.

    The start of an earlier subscription stays.
    """
    await keep_terms_of(session, choice.terms)
    row = await subscription_store.lock(session, workspace_id)
    if row is None:
        row = SubscriptionRow(workspace_id=workspace_id, version=0, changed_at=session.now, checked_at=session.now)
        session.add(row)
    held = usage_limits.held_by(row)
    row.status = status.value
    row.terms_id, row.seats, row.interval = choice.terms.id, choice.seats, None
    row.add_ons = {each.code: each.quantity for each in choice.add_ons}
    row.period_start = row.period_end = row.grace_ends_at = row.schedule_id = row.pending = None
    row.ends_at, row.trial_ends_at = ends_at, trial_ends_at
    row.next_check_at, row.checked_at = _next_check(session.now, row), session.now
    subscription_states.changed(session, row)
    await session.flush()
    await usage_limits.follow(session, catalog, workspace_id, held, choice.terms, at=session.now)
    return row


async def fall_back(session: Session, catalog: Catalog, row: SubscriptionRow) -> None:
    """Let a workspace whose row is locked be on a given plan no longer; who is told of it is the caller's business."""
    held = usage_limits.held_by(row)
    row.status = SubscriptionState.CANCELED.value
    row.terms_id = row.interval = row.seats = row.pending = None
    row.add_ons = {}
    row.ends_at = row.trial_ends_at = row.next_check_at = None
    subscription_states.changed(session, row)
    await session.flush()
    await usage_limits.follow(session, catalog, row.workspace_id, held, None, at=session.now)


def _next_check(now: datetime, row: SubscriptionRow) -> datetime | None:
    """When something of a given plan falls due: its end, and before that of a trial the mail about it."""
    ends_at = end_of(row)
    if ends_at is None:
        return None
    told_at = ends_at - TOLD_BEFORE
    return told_at if row.trial_ends_at is not None and told_at > now else ends_at


async def _end(session: Session, catalog: Catalog, row: SubscriptionRow, actor: Actor) -> None:
    before, reason = subscription_states.summary_of(row), str(row.version)
    was_trial = row.trial_ends_at is not None
    await fall_back(session, catalog, row)
    action = "trial.ended" if was_trial else "subscription.given_ended"
    summary = "The free trial ended." if was_trial else "The plan that was given ended."
    await audit_log.record(session, row.workspace_id, actor, action, summary, before=before)
    notice = Notice.TRIAL_ENDED if was_trial else Notice.GIVEN_PLAN_ENDED
    await owner_notices.tell(session, row.workspace_id, notice, reason)
