"""Making a change of a subscription, step by step: each is decided by what the provider has by then.

So whoever comes next, a caller who asks again, an event or the worker, finishes what a crash interrupted. A change that was not
sent to be paid by then is undone: nothing is charged after its caller has gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from app.billing.payments import card_mirror
from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.subscriptions import change_states, subscription_states
from app.billing.subscriptions.change_states import Failure
from app.billing.subscriptions.goals import (
    ChangeItems,
    CreateSchedule,
    Goal,
    ReleaseSchedule,
    SetEnd,
    SetPhases,
    Snapshot,
    Step,
    TakeBackEnd,
    VoidInvoice,
    goal_from_json,
    is_billed,
    next_step,
)
from app.billing.subscriptions.sold_terms import Sold, read_sold
from app.billing.subscriptions.subscription_states import is_of_change, is_waited_for
from app.db.engine import Session
from app.db.tables.subscriptions import IN_FLIGHT, ChangeState, SubscriptionChangeRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.subscriptions.sync import fetch_snapshot, sync_subscription
from app.flows.subscriptions.unpaid_invoices import oldest_unpaid
from app.payments.gateway_errors import GatewayDeclined, GatewayRefused, ScheduleAttached
from app.payments.gateway_values import InvoiceStatus, PaymentStatus
from app.store import subscriptions as subscription_store

_ChangeWork: TypeAlias = Callable[[Session, UUID, UUID], Awaitable[object]]

_MOST_STEPS: Final = 12
_RENEWAL_FIRST: Final = "The renewal has to be paid before anything is changed, and its payment did not go through."
_NOT_SENT: Final = "The change was interrupted before anything was charged."

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def advance(
    context: FlowContext, workspace_id: UUID, change_id: UUID, *, sends_payment: bool
) -> SubscriptionChangeRow | None:
    """Bring a change as far as it can be brought, mirror the subscription, and return the change as it is then.

    With `sends_payment` the caller who asked for it is there, and what it costs is charged; without, a change that was not sent is
    undone. Raises `GatewayUnavailable`: then it goes on later.
    """
    async with context.database.read() as session:
        sold = await read_sold(session, context.catalog, workspace_id)
    for _ in range(_MOST_STEPS):
        async with context.database.read() as session:
            change = await subscription_store.change(session, workspace_id, change_id)
        if change is None or change.state not in IN_FLIGHT:
            break
        snapshot = await fetch_snapshot(context, workspace_id, sold)
        if snapshot is None or snapshot.subscription.id != change.subscription_id:
            await _note(context, change_states.end_with_subscription, change, "change.ended")
            break
        if not await _take_step(context, change, snapshot, sold, sends_payment=sends_payment):
            break
    await sync_subscription(context, workspace_id)
    async with context.database.read() as session:
        return await subscription_store.change(session, workspace_id, change_id)


async def _take_step(
    context: FlowContext, change: SubscriptionChangeRow, snapshot: Snapshot, sold: Sold, *, sends_payment: bool
) -> bool:
    """Take one step; False when nothing is left to do by now."""
    subscription = snapshot.subscription
    if is_of_change(subscription, change) and change.state != ChangeState.UNDER_WAY:
        # paid, also where it was just about to be undone
        await _note(context, change_states.was_paid, change, "change.paid")
        return True
    if change.state != ChangeState.UNDOING and is_waited_for(subscription, change):
        return await _evaluate_pending(context, change, snapshot)
    if change.state == ChangeState.AWAITING_PAYMENT:
        await _undo(context, change, Failure.LAPSED)
        return True
    goal = _goal(change, sold)
    if not sends_payment and goal.now is not None and not is_billed(snapshot, goal.now, sold.prices):
        await _undo(context, change, Failure.INTERRUPTED, message=_NOT_SENT)
        return True
    step = next_step(snapshot, goal, sold.prices, change_id=str(change.id), prorated_at=change.prorated_at)
    if step is None:
        await _finish(context, change, snapshot, sold)
        return True
    if isinstance(step, ChangeItems):
        return await _change_items(context, change, snapshot, step)
    if await _note(context, change_states.claim_step, change, "change.step") is not None:
        await _send(context, change, snapshot, step)
    return True


async def _finish(context: FlowContext, change: SubscriptionChangeRow, snapshot: Snapshot, sold: Sold) -> None:
    """End the change, and mirror what it came to in the same unit: whoever asks again once it has ended is shown that."""

    async def work(session: Session) -> None:
        await change_states.finish(session, change.workspace_id, change.id)
        await subscription_states.mirror(session, change.workspace_id, sold, snapshot)

    await transact(context.database, work, step="change.finish")


def _goal(change: SubscriptionChangeRow, sold: Sold) -> Goal:
    is_undone = change.state == ChangeState.UNDOING
    return goal_from_json(change.before if is_undone else change.goal, sold.by_id)


async def _send(context: FlowContext, change: SubscriptionChangeRow, snapshot: Snapshot, step: Step) -> None:
    """Take a step that charges nothing. Its key tells making a change from undoing it."""
    gateway, subscription_id = context.gateway, snapshot.subscription.id
    direction = "undo" if change.state == ChangeState.UNDOING else "make"
    key = f"{change.id}:{direction}"
    try:
        match step:
            case VoidInvoice(invoice_id):
                await gateway.discard_invoice(invoice_id)
            case ReleaseSchedule(schedule_id):
                await gateway.release_schedule(schedule_id, key=f"{key}:release:{schedule_id}")
            case TakeBackEnd():
                await gateway.take_back_end(subscription_id, key=f"{key}:take-back")
            case SetEnd():
                await gateway.end_with_period(subscription_id, key=f"{key}:end")
            case CreateSchedule():
                await gateway.create_schedule(subscription_id, key=f"{key}:schedule")
            case SetPhases(schedule_id, phases):
                await gateway.set_phases(schedule_id, phases, key=f"{key}:phases:{schedule_id}")
            case ChangeItems():
                raise AssertionError("what charges is sent by _change_items")
    except ScheduleAttached as attached:
        # somebody made one at this moment
        await gateway.release_schedule(attached.schedule_id, key=f"{key}:release:{attached.schedule_id}")
    except GatewayRefused as refused:
        if isinstance(step, VoidInvoice):
            # paid at this moment: the next look shows it
            return
        _log.warning("change.refused", change=str(change.id), step=type(step).__name__, reason=str(refused))
        if change.state == ChangeState.UNDOING:
            # what was before can't be made again, and asking once more changes nothing: no other change must wait for it
            await _note(context, change_states.finish, change, "change.finish")
        else:
            await _undo(context, change, Failure.REFUSED)


async def _change_items(
    context: FlowContext, change: SubscriptionChangeRow, snapshot: Snapshot, step: ChangeItems
) -> bool:
    """Send what is charged at once. It is made once it is paid; otherwise it waits for its holder, or is undone."""
    if not await _renewal_is_paid(context, change, snapshot):
        return True
    if await _note(context, change_states.claim_charge, change, "change.charge") is None:
        return True
    try:
        await context.gateway.change_subscription(
            snapshot.subscription.id, step.change, metadata=step.metadata, key=f"{change.id}:items"
        )
    except GatewayDeclined as declined:
        await _undo(context, change, Failure.DECLINED, message=str(declined), decline_code=declined.decline_code)
    except GatewayRefused as refused:
        _log.warning("change.refused", change=str(change.id), step="ChangeItems", reason=str(refused))
        await _undo(context, change, Failure.REFUSED)
    return True


async def _renewal_is_paid(context: FlowContext, change: SubscriptionChangeRow, snapshot: Snapshot) -> bool:
    """Pay the renewal first, if it is a draft or unpaid: otherwise the change would credit time that was never paid for."""
    invoice = await oldest_unpaid(context, snapshot.subscription)
    if invoice is None:
        return True
    try:
        async with context.database.read() as session:
            card = await card_mirror.card_to_charge(session, change.workspace_id, None)
    except PaymentMethodRequired as required:
        await _undo(context, change, Failure.DECLINED, message=required.message)
        return False
    paid = await context.gateway.pay_invoice(
        invoice.id, card_id=card.provider_id, off_session=False, key=f"{change.id}:renewal"
    )
    if paid.status is InvoiceStatus.PAID:
        return True
    message = f"{_RENEWAL_FIRST} {paid.attempt.decline_message or ''}".strip()
    await _undo(context, change, Failure.DECLINED, message=message, decline_code=paid.attempt.decline_code)
    return False


async def _evaluate_pending(context: FlowContext, change: SubscriptionChangeRow, snapshot: Snapshot) -> bool:
    """What a change that was sent and not paid waits for: its holder, until it lapses; anything else is undone."""
    pending, invoice_id = snapshot.subscription.pending_update, snapshot.subscription.latest_invoice_id
    invoice = await context.gateway.invoice(invoice_id) if invoice_id is not None else None
    if pending is None or invoice is None or invoice.status is InvoiceStatus.PAID:
        # paid at this moment: the next look shows it
        return True
    until = change_states.waits_until(pending.expires_at, snapshot.period_end)
    attempt = invoice.attempt
    if attempt.status is PaymentStatus.DECLINED and change.state == ChangeState.UNDER_WAY:
        await _undo(
            context, change, Failure.DECLINED, message=attempt.decline_message, decline_code=attempt.decline_code
        )
        return True
    if until <= context.database.clock.now():
        await _undo(context, change, Failure.LAPSED)
        return True
    if change.state == ChangeState.AWAITING_PAYMENT and change.expires_at == until:
        return False

    async def note(session: Session) -> None:
        await change_states.await_payment(
            session, change.workspace_id, change.id, invoice_id=invoice.id, page=invoice.hosted_url, until=until
        )

    await transact(context.database, note, step="change.await")
    return False


async def _undo(
    context: FlowContext,
    change: SubscriptionChangeRow,
    failure: Failure,
    *,
    message: str | None = None,
    decline_code: str | None = None,
) -> None:
    async def note(session: Session) -> None:
        await change_states.undo(
            session, change.workspace_id, change.id, failure, message=message, decline_code=decline_code
        )

    await transact(context.database, note, step="change.undo")


async def _note(context: FlowContext, work: _ChangeWork, change: SubscriptionChangeRow, step: str) -> object:
    return await transact(context.database, lambda session: work(session, change.workspace_id, change.id), step=step)


async def resume_change(context: FlowContext, workspace_id: UUID, change_id: UUID) -> None:
    """Finish a change that nobody is making any more, or that waits for its payment. Raises `GatewayUnavailable`.

    Seats that accepted invitations wait for are bought also when who accepted is gone.
    """
    async with context.database.read() as session:
        change = await subscription_store.change(session, workspace_id, change_id)
    if change is not None and change.next_check_at is not None and change.next_check_at <= context.database.clock.now():
        await take_over_and_advance(context, change, sends_payment=change_states.is_for_seats(change))


async def take_over_and_advance(context: FlowContext, change: SubscriptionChangeRow, *, sends_payment: bool) -> None:
    """Go on with a change that somebody has left, unless another does so by now: one undoes what the other would charge.

    Raises `GatewayUnavailable`.
    """
    if await transact(
        context.database,
        lambda session: change_states.take_over(session, change.workspace_id, change.id, seen=change.next_check_at),
        step="change.resume",
    ):
        await advance(context, change.workspace_id, change.id, sends_payment=sends_payment)


async def settle_in_flight(context: FlowContext, workspace_id: UUID) -> None:
    """After an event: bring the change that waits for its payment to its end, if it is there. Raises `GatewayUnavailable`."""
    async with context.database.read() as session:
        change = await subscription_store.change_in_flight(session, workspace_id)
    if change is not None and change.state == ChangeState.AWAITING_PAYMENT:
        await advance(context, workspace_id, change.id, sends_payment=False)
