"""Seats that buy themselves: who accepts an invitation where none is free waits for one, which the subscription gets.

Whoever comes next, the caller, a change that has ended or the worker, goes on with what waits: those are let in for whom there is
a seat, and for the others together one change of the subscription is begun. While another change is in flight they wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.accounts.access.callers import UserCaller
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments import card_mirror
from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.payments.payment_errors import PaymentPending, PaymentUnavailable
from app.billing.subscriptions import change_states, joining, owner_notices
from app.billing.subscriptions.additions import with_seats
from app.billing.subscriptions.change_states import FOR_SEATS, EndsOtherwise, Failure, InTrial
from app.billing.subscriptions.goals import Snapshot
from app.billing.subscriptions.joining import Acceptance
from app.billing.subscriptions.owner_notices import Notice
from app.billing.subscriptions.present_state import locked_state, prorated_from, require_chargeable
from app.billing.subscriptions.seats import seats_now
from app.billing.subscriptions.sold_terms import read_sold
from app.billing.subscriptions.subscription_states import present_choice
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.subscriptions import ChangeState, SeatRequestRow, SubscriptionChangeRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import try_to_sync_cards
from app.flows.subscriptions.change_results import make_change, sync_first
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import billing_accounts as billing_account_store
from app.store import seat_requests as seat_request_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

_WAITS_SECONDS: Final = 20.0
_POLL_EVERY_SECONDS: Final = 0.1
_LOOK_AGAIN: Final = timedelta(minutes=5)

Count = Callable[[Session, UUID], Awaitable[None]]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SeatPending(PaymentPending):
    """Your seat is not paid for yet. You join by yourself as soon as it is. If you have not in a day, follow the link again."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What came of accepting an invitation.

    `access` is the workspace, None where the caller has left it since. `waits_in` is the workspace in which they wait for a seat,
    and `was_declined` says that this call had it charged to a card that was declined.
    """

    access: WorkspaceAccess | None
    waits_in: UUID | None = None
    was_declined: bool = False


async def accept_invitation(
    context: FlowContext, caller: UserCaller, token: str, idempotency_key: str, count: Count
) -> Joining:
    """Accept an invitation, and where it needs another seat wait a while until that is bought.

    `count` counts a seat to be charged, in the transaction that lets the caller wait for it. Raises what
    `joining.accept_invitation` does, and what `count` does.
    """

    async def accept(session: Session) -> Acceptance:
        acceptance = await joining.accept_invitation(session, context.catalog, caller, token, idempotency_key)
        if acceptance.is_new:
            await count(session, acceptance.workspace_id)
        return acceptance

    acceptance = await transact(context.database, accept, step="accept-invitation")
    until_seconds = asyncio.get_running_loop().time() + _WAITS_SECONDS
    was_declined, may_be_soon = False, True
    while acceptance.is_waiting and may_be_soon:
        try:
            bought = await seat_waiting(context, acceptance.workspace_id)
        except (PaymentUnavailable, GatewayUnavailable, GatewayRefused):
            # the worker goes on
            break
        was_declined |= bought is not None and bought.failure == Failure.DECLINED
        may_be_soon = await _wait_for_change(context, acceptance.workspace_id, caller, until_seconds)
        acceptance = await transact(context.database, accept, step="accept-invitation")
    waits_in = acceptance.workspace_id if acceptance.is_waiting else None
    return Joining(acceptance.access, waits_in, was_declined)


async def _wait_for_change(context: FlowContext, workspace_id: UUID, caller: UserCaller, until_seconds: float) -> bool:
    """Wait until no change is being made any more, by reading alone; whether the caller still waits and a seat may be had then.

    It may not where a cardholder is waited for, nothing can be bought, or `until_seconds`, by the clock of the loop, has come.
    """
    while True:
        async with context.database.read() as session:
            change = await subscription_store.change_in_flight(session, workspace_id)
            waiting = await seat_request_store.waiting(session, workspace_id)
        is_awaited = change is not None and change.state == ChangeState.AWAITING_PAYMENT
        if is_awaited or all(each.user_id != caller.user_id for each in waiting):
            return False
        if asyncio.get_running_loop().time() >= until_seconds:
            return False
        await asyncio.sleep(_POLL_EVERY_SECONDS)
        if change is None:
            return True


async def seat_waiting(context: FlowContext, workspace_id: UUID) -> SubscriptionChangeRow | None:
    """Let those in who wait for a seat, as far as there are seats, and buy one for each of the others.

    Returns the change that buys them, as it stands then; None where none was begun. Raises `PaymentUnavailable`,
    `GatewayUnavailable` and `GatewayRefused`: then the worker goes on.
    """

    async def let_in(session: Session) -> bool:
        waiting = await joining.let_in(session, context.catalog, workspace_id)
        await seat_request_store.look_again(session, workspace_id, session.now + _LOOK_AGAIN)
        return bool(waiting) and await subscription_store.change_in_flight(session, workspace_id) is None

    if not await transact(context.database, let_in, step="seats.let_in"):
        return None
    snapshot = await sync_first(context, workspace_id)
    try:
        change = await _begin(context, workspace_id, snapshot)
    except PaymentMethodRequired:
        # the event of a card that was saved a moment ago may not have come yet
        await try_to_sync_cards(context, workspace_id)
        change = await _begin(context, workspace_id, snapshot, is_last_try=True)
    if change is None:
        return None
    made = await make_change(context, change)
    await transact(context.database, let_in, step="seats.let_in")
    return made


async def _begin(
    context: FlowContext, workspace_id: UUID, snapshot: Snapshot | None, *, is_last_try: bool = False
) -> SubscriptionChangeRow | None:
    """Begin the change that buys the seats; raises `PaymentMethodRequired` unless it is the last try, which tells the owners."""

    async def begin(session: Session) -> SubscriptionChangeRow | None:
        await workspace_store.lock(session, workspace_id)
        await billing_account_store.lock(session, workspace_id)
        if await subscription_store.change_in_flight(session, workspace_id) is not None:
            return None
        # a change may have ended since those were let in for whom there was a seat: the first in the row have one by now
        free = (await seats_now(session, context.catalog, workspace_id)).available
        waiting = (await seat_request_store.waiting(session, workspace_id))[free:]
        if not waiting:
            await seat_request_store.look_again(session, workspace_id, session.now)
            return None
        room = await joining.room_to_buy(session, context.catalog, workspace_id)
        await seat_request_store.give_up(session, workspace_id, [each.invitation_id for each in waiting[room:]])
        if snapshot is None or not room:
            return None
        try:
            require_chargeable(snapshot)
            await card_mirror.card_to_charge(session, workspace_id, None)
        except PaymentMethodRequired:
            if not is_last_try:
                raise
            await _give_up(session, workspace_id, waiting)
            return None
        except (EndsOtherwise, InTrial) as error:
            _log.info("seats.not_bought", workspace=str(workspace_id), reason=error.message)
            await _give_up(session, workspace_id, waiting)
            return None
        return await _begin_change(session, context.catalog, workspace_id, waiting[:room], snapshot)

    return await transact(context.database, begin, step="seats.begin")


async def _begin_change(
    session: Session, catalog: Catalog, workspace_id: UUID, waiting: Sequence[SeatRequestRow], snapshot: Snapshot
) -> SubscriptionChangeRow:
    sold = await read_sold(session, catalog, workspace_id)
    row, before = await locked_state(session, sold, workspace_id)
    present = present_choice(row, sold)
    assert present is not None, "there is room for seats on a plan only"
    goal = with_seats(present, before, len(waiting))
    change = await change_states.begin(
        session,
        workspace_id=workspace_id,
        subscription_id=row.provider_id or "",
        mutation=FOR_SEATS,
        key=None,
        key_hash=b"",
        goal=goal,
        before=before,
        prorated_at=prorated_from(session.now, snapshot),
    )
    for request in waiting:
        request.change_id = change.id
    summary = "Seats are bought for accepted invitations."
    after = {"seats": present.seats + len(waiting), "invitations": [str(each.invitation_id) for each in waiting]}
    await audit_log.record(session, workspace_id, SYSTEM, "subscription.change_requested", summary, after=after)
    return change


async def _give_up(session: Session, workspace_id: UUID, waiting: Sequence[SeatRequestRow]) -> None:
    await seat_request_store.give_up(session, workspace_id, [each.invitation_id for each in waiting])
    first = waiting[0]
    # accepted again later, the same invitation is another reason to tell
    reason = f"{first.invitation_id}:{first.created_at.isoformat()}"
    await owner_notices.tell(session, workspace_id, Notice.SEAT_NOT_BOUGHT, reason)
