"""The subscription as it stands before a change: what is live, what is decided, whether something can be charged at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions.change_states import ChangeInFlight, EndsOtherwise, InTrial, require_no_move
from app.billing.subscriptions.goals import Goal, Snapshot
from app.billing.subscriptions.pending_changes import PendingChangeKind, pending_from_json
from app.billing.subscriptions.sold_terms import Sold
from app.billing.subscriptions.workspace_plan import require_self_serve
from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionRow
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.payments.subscription_values import SubscriptionStatus
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store


class NotSubscribed(DomainError):
    """This workspace has no paid plan yet: begin one with createCheckout."""

    code = ErrorCode.CONFLICT


def require_chargeable(snapshot: Snapshot) -> None:
    """Raise where nothing can be charged at once.

    `EndsOtherwise`: an end of another day than the period's could not be set again if the payment failed. `InTrial`: the provider
    charges nothing in a trial.
    """
    if snapshot.ends_otherwise:
        raise EndsOtherwise
    if snapshot.subscription.status is SubscriptionStatus.TRIALING:
        raise InTrial


def prorated_from(now: datetime, snapshot: Snapshot | None) -> datetime:
    """The moment from which a change charges the rest of the period: now in whole seconds, as the provider counts.

    Never before the period, which may have begun by a clock ahead of ours.
    """
    at = now.replace(microsecond=0)
    return max(at, snapshot.period_start) if snapshot is not None else at


async def locked_state(session: Session, sold: Sold, workspace_id: UUID) -> tuple[SubscriptionRow, Goal]:
    """The live subscription, locked, and what is decided for it.

    Raises `NotSubscribed`, `NotSelfServe` for a plan by contract, `ChangeInFlight` and `WorkspaceClosing`.
    """
    require_open(await billing_account_store.lock(session, workspace_id))
    # the plan that is left may have ended by now, before the next has begun
    await require_no_move(session, workspace_id)
    row = await subscription_store.lock(session, workspace_id)
    if row is None or row.provider_id is None:
        await require_self_serve(session, sold.catalog, workspace_id)
        raise NotSubscribed
    if await subscription_store.change_in_flight(session, workspace_id) is not None:
        raise ChangeInFlight
    return row, decided(row, sold)


def decided(row: SubscriptionRow, sold: Sold) -> Goal:
    """What is decided for a live subscription and not in flight: a downgrade, or its end."""
    if row.pending is None or row.pending["kind"] != PendingChangeKind.DOWNGRADE:
        return Goal(None, ends=row.ends_at is not None)
    choice = row.pending["choice"]
    pending = pending_from_json(row.pending, sold.by_id[choice["terms_id"]] if choice is not None else None)
    return Goal(None, later=pending.choice)
