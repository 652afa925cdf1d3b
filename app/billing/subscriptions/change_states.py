"""The states of a change of a subscription: begun, sent, waiting for its payment, undone, and at its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.billing.subscriptions import owner_notices
from app.billing.subscriptions.goals import Goal, goal_as_json
from app.billing.subscriptions.owner_notices import Notice
from app.db.engine import Session
from app.db.tables.subscriptions import IN_FLIGHT, ChangeState, SubscriptionChangeRow
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.ids import uuid7
from app.store import billing_accounts as billing_account_store
from app.store import plan_moves as plan_move_store
from app.store import seat_requests as seat_request_store
from app.store import subscriptions as subscription_store

# Longer than a step takes that is under way, with its calls to the provider.
STEP_TAKES: Final = timedelta(seconds=90)
# Longer than a call to the provider ordinarily takes.
CALL_TAKES: Final = timedelta(seconds=10)
# So that no old plan renews because a change was still waiting.
LAPSES_BEFORE_PERIOD_END: Final = timedelta(hours=2)

FOR_SEATS: Final = "acceptInvitation"
"""The mutation of a change that accepted invitations caused."""


class ChangeInFlight(DomainError):
    """Another change of this subscription is under way, or waits for its payment. Wait for it, or take it back first."""

    code = ErrorCode.PAYMENT_PENDING


class EndsOtherwise(DomainError):
    """The subscription is set to end on another day than its period: take that back first, then change it."""

    code = ErrorCode.CONFLICT


class InTrial(DomainError):
    """The seller has given this subscription a trial: more can be had once that has ended."""

    code = ErrorCode.CONFLICT


class Failure(StrEnum):
    """Why a change was not made. INTERRUPTED: it was never sent; nothing was charged."""

    DECLINED = "DECLINED"
    REFUSED = "REFUSED"
    PRICE_CHANGED = "PRICE_CHANGED"
    INTERRUPTED = "INTERRUPTED"
    LAPSED = "LAPSED"
    TAKEN_BACK = "TAKEN_BACK"
    ENDED = "ENDED"


_END_STATE: Final = {Failure.LAPSED: ChangeState.LAPSED, Failure.TAKEN_BACK: ChangeState.TAKEN_BACK}
# In these nothing was charged and nothing was refused by a bank: the key may be used again.
_FREES_KEY: Final = (Failure.INTERRUPTED, Failure.REFUSED, Failure.PRICE_CHANGED)


def is_for_seats(change: SubscriptionChangeRow) -> bool:
    """Whether accepted invitations caused the change: it is charged though nobody waits for the answer."""
    return change.mutation == FOR_SEATS


async def begin(
    session: Session,
    *,
    workspace_id: UUID,
    subscription_id: str,
    mutation: str,
    key: str | None,
    key_hash: bytes,
    goal: Goal,
    before: Goal,
    prorated_at: datetime | None = None,
    reason: str | None = None,
) -> SubscriptionChangeRow:
    """Write down a change that is about to be made; the billing account is locked. Raises `ChangeInFlight`.

    `prorated_at` is the moment from which the rest of the period is charged, in whole seconds, if something is charged now.
    """
    if await subscription_store.change_in_flight(session, workspace_id) is not None:
        raise ChangeInFlight
    await require_no_move(session, workspace_id)
    row = SubscriptionChangeRow(
        workspace_id=workspace_id,
        id=uuid7(),
        mutation=mutation,
        idempotency_key=key,
        input_hash=key_hash,
        state=ChangeState.UNDER_WAY.value,
        subscription_id=subscription_id,
        goal=goal_as_json(goal),
        before=goal_as_json(before),
        prorated_at=prorated_at if goal.now is not None else None,
        seats_left=goal.later.seats if goal.later is not None else None,
        reason=reason,
        next_check_at=session.now + STEP_TAKES,
        created_at=session.now,
    )
    session.add(row)
    await session.flush()
    return row


async def require_no_move(session: Session, workspace_id: UUID) -> None:
    """Raise `ChangeInFlight` while the workspace is being moved to another plan; the billing account is locked."""
    if await plan_move_store.under_way(session, workspace_id) is not None:
        raise ChangeInFlight


async def claim_step(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    """Note that a step of a change is about to be made; None where the change is at its end by now."""
    row = await _locked(session, workspace_id, change_id)
    if row is None or row.state not in IN_FLIGHT:
        return None
    row.next_check_at = session.now + STEP_TAKES
    return row


async def claim_charge(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    """Note that what a change costs is about to be charged; None where the change is being undone, or at its end, by now."""
    row = await claim_step(session, workspace_id, change_id)
    return row if row is not None and row.state == ChangeState.UNDER_WAY else None


async def take_over(session: Session, workspace_id: UUID, change_id: UUID, *, seen: datetime | None) -> bool:
    """Go on with a change that somebody has left; False where another did so first. `seen` is its due time as it was read."""
    row = await _locked(session, workspace_id, change_id)
    if row is None or row.state not in IN_FLIGHT or row.next_check_at != seen:
        return False
    row.next_check_at = session.now + STEP_TAKES
    return True


def seems_left(change: SubscriptionChangeRow, now: datetime) -> bool:
    """Whether nobody has taken a step of a change for longer than a call to the provider ordinarily takes."""
    return change.next_check_at is not None and change.next_check_at - STEP_TAKES + CALL_TAKES <= now


async def await_payment(
    session: Session, workspace_id: UUID, change_id: UUID, *, invoice_id: str, page: str | None, until: datetime
) -> SubscriptionChangeRow | None:
    """Note that a change waits for the payment of an invoice, until a time; `page` is where it can be paid.

    Where nobody with the card is there, since accepted invitations caused it, the owners are told.
    """
    row = await _locked(session, workspace_id, change_id)
    if row is None or row.state not in IN_FLIGHT:
        return row
    row.state = ChangeState.AWAITING_PAYMENT.value
    row.invoice_id, row.expires_at, row.next_check_at = invoice_id, until, until
    if is_for_seats(row):
        notice = Notice.SEAT_AWAITS_PAYMENT
        await owner_notices.tell(session, workspace_id, notice, str(change_id), until=until, page=page)
    return row


async def was_paid(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    """Note that what a change waited for was paid: what is left of it is made now."""
    row = await _locked(session, workspace_id, change_id)
    if row is not None and row.state in IN_FLIGHT:
        row.state = ChangeState.UNDER_WAY.value
        row.failure = row.failure_message = row.decline_code = None
        row.next_check_at = session.now + STEP_TAKES
    return row


async def undo(
    session: Session,
    workspace_id: UUID,
    change_id: UUID,
    failure: Failure,
    *,
    message: str | None = None,
    decline_code: str | None = None,
) -> SubscriptionChangeRow | None:
    """Note that a change is to be undone, and why: what it displaced comes back."""
    row = await _locked(session, workspace_id, change_id)
    if row is not None and row.state in (ChangeState.UNDER_WAY, ChangeState.AWAITING_PAYMENT):
        row.state = ChangeState.UNDOING.value
        row.failure, row.failure_message, row.decline_code = failure.value, message, decline_code
        row.next_check_at = session.now + STEP_TAKES
    return row


async def finish(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    """Note that a change is at its end: made, or undone."""
    row = await _locked(session, workspace_id, change_id)
    if row is None or row.state not in IN_FLIGHT:
        return row
    failure = Failure(row.failure) if row.failure is not None else None
    row.state = (ChangeState.DONE if failure is None else _END_STATE.get(failure, ChangeState.FAILED)).value
    row.next_check_at = row.seats_left = row.expires_at = None
    if failure in _FREES_KEY:
        row.idempotency_key = None
    await session.flush()
    await _settle(session, row, failure)
    if failure is Failure.LAPSED and not is_for_seats(row):
        await owner_notices.tell(session, workspace_id, Notice.CHANGE_LAPSED, str(change_id))
    return row


async def _settle(session: Session, change: SubscriptionChangeRow, failure: Failure | None) -> None:
    """Write down why a change was not made, and look again at who waits for a seat: whose seat it did not buy waits no more."""
    if failure is not None:
        summary = "A change of the subscription that was asked for was not made."
        action, after = "subscription.change_failed", {"failure": failure.value}
        await audit_log.record(session, change.workspace_id, SYSTEM, action, summary, after=after)
    if failure is not None and is_for_seats(change):
        await seat_request_store.give_up_change(session, change.workspace_id, change.id)
        if failure is not Failure.TAKEN_BACK:
            await owner_notices.tell(session, change.workspace_id, Notice.SEAT_NOT_BOUGHT, str(change.id))
    await seat_request_store.look_again(session, change.workspace_id, session.now)


async def end_with_subscription(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    """Note that a change came to nothing since its subscription has ended."""
    row = await _locked(session, workspace_id, change_id)
    if row is not None and row.state in IN_FLIGHT:
        row.failure = Failure.ENDED.value
        row.state = ChangeState.FAILED.value
        row.next_check_at = row.seats_left = row.expires_at = None
        await _settle(session, row, Failure.ENDED)
    return row


def waits_until(expires_at: datetime, period_end: datetime) -> datetime:
    """Until when an upgrade may wait for its payment: as long as the provider lets it, but no old plan renews meanwhile."""
    return min(expires_at, period_end - LAPSES_BEFORE_PERIOD_END)


async def _locked(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    await billing_account_store.lock(session, workspace_id)
    return await subscription_store.change(session, workspace_id, change_id)
