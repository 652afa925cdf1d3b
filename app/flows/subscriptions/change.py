"""Changing, canceling and keeping a subscription: each is written down first, then made at the provider step by step.

One change of a workspace is in flight at a time. What is charged is what the quote said, which is compared once more just before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from app import idempotency
from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments import card_mirror
from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.payments.payment_errors import PaymentPending, PaymentRefused, PaymentUnavailable
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions import change_states
from app.billing.subscriptions.change_states import ChangeInFlight, Failure
from app.billing.subscriptions.goals import Goal, goal_from_json, item_change
from app.billing.subscriptions.pending_changes import PendingChangeKind, pending_from_json
from app.billing.subscriptions.planner import PlannedChange, WantedChange, plan_change
from app.billing.subscriptions.quotes import PriceChanged, Quote
from app.billing.subscriptions.subscription_states import Offered, present_choice
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.subscriptions import ChangeState, SubscriptionChangeRow, SubscriptionRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import Conflict, DomainError, IdempotencyConflict, PaymentActionRequired, PaymentDeclined
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import try_to_sync_cards
from app.flows.subscriptions.advance import advance, resume_change
from app.flows.subscriptions.sync import fetch_snapshot, read_sold, sync_subscription
from app.flows.subscriptions.upcoming import refresh_upcoming
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import billing_accounts as billing_account_store
from app.store import memberships as membership_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

_REPLAY_WAITS_SECONDS: Final = 20.0
_POLL_EVERY_SECONDS: Final = 0.1

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]
Count = Callable[[Session], Awaitable[None]]


class NotSubscribed(DomainError):
    """This workspace has no paid plan yet: begin one with createCheckout."""

    code = ErrorCode.CONFLICT


class NothingPending(DomainError):
    """Nothing is pending: there is nothing to take back."""

    code = ErrorCode.NO_CHANGE


class LapsedUnpaid(DomainError):
    """The payment was not confirmed in time. Nothing was charged, and the subscription is as it was before."""

    code = ErrorCode.PAYMENT_DECLINED


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change that somebody asked for by a mutation; `quote` is what it was said to cost. `actor` is for the audit log."""

    workspace_id: UUID
    mutation: str
    wanted: WantedChange
    quote: Quote | None
    idempotency_key: str
    actor: Actor

    @property
    def input_hash(self) -> bytes:
        """What the idempotency key is bound to."""
        wanted = self.wanted
        add_ons = sorted(wanted.add_ons.items()) if wanted.add_ons is not None else None
        return idempotency.input_hash(wanted.plan_code, wanted.interval, wanted.seats, add_ons)


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What came of a change: the error for the caller, None where it was made; with `is_replay` an earlier call had begun it."""

    error: DomainError | None
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class _BegunChange:
    change: SubscriptionChangeRow
    is_new: bool


async def change_subscription(
    context: FlowContext, request: ChangeRequest, authorize: Authorize, count: Count
) -> ChangeResult:
    """Change the plan, the interval, seats or add-ons: what rises at once, what falls when the period ends.

    `authorize` checks the caller on locked rows, `count` counts a change that charges, both in the transaction that begins it.
    Raises what the planner refuses, `NotSubscribed`, `ChangeInFlight`, `PriceChanged`, `PaymentMethodRequired`,
    `IdempotencyConflict`, `PaymentUnavailable`, `PaymentRefused`. A decline, and a payment that waits for its holder, is returned.
    """
    while True:
        async with context.database.read() as session:
            earlier = await _earlier(session, request)
        if earlier is None:
            break
        answered = await _answer_again(context, earlier)
        if answered is not None:
            return answered
    await _sync(context, request.workspace_id)

    async def begin(session: Session) -> _BegunChange:
        access = await authorize(session)
        return await _begin_change(session, context, request, access, count)

    try:
        begun = await transact(context.database, begin, step="change.begin")
    except PaymentMethodRequired:
        # the event of a card that was saved a moment ago may not have come yet
        await try_to_sync_cards(context, request.workspace_id)
        begun = await transact(context.database, begin, step="change.begin")
    if not begun.is_new:
        return await _answer_again(context, begun.change) or ChangeResult(PaymentPending(), is_replay=True)
    if request.quote is not None:
        await _require_quoted_price(context, begun.change, request.quote)
    return await _finish(context, begun.change)


async def cancel_subscription(
    context: FlowContext, workspace_id: UUID, *, reason: str | None, actor: Actor, authorize: Authorize
) -> ChangeResult:
    """Let the subscription end with its period. A change that waits for its payment is taken back first, a downgrade is dropped.

    One that ends already stays as it is. Raises `NotSubscribed`, `ChangeInFlight` and `PaymentUnavailable`.
    """
    await _take_back_awaited(context, workspace_id, authorize)
    await _sync(context, workspace_id)

    async def begin(session: Session) -> SubscriptionChangeRow | None:
        await authorize(session)
        row, before = await _locked_state(session, context, workspace_id)
        if before.ends:
            return None
        after = {"endsAt": row.period_end.isoformat() if row.period_end is not None else None}
        summary = "The subscription was canceled at the end of its period."
        await audit_log.record(session, workspace_id, actor, "subscription.canceled", summary, after=after)
        return await change_states.begin(
            session,
            workspace_id=workspace_id,
            subscription_id=row.provider_id or "",
            mutation="cancelSubscription",
            key=None,
            key_hash=b"",
            goal=Goal(None, ends=True),
            before=before,
            reason=reason,
        )

    change = await transact(context.database, begin, step="cancel.begin")
    return await _finish(context, change) if change is not None else ChangeResult(None)


async def keep_subscription(
    context: FlowContext, workspace_id: UUID, *, actor: Actor, authorize: Authorize
) -> ChangeResult:
    """Take back what is pending: an upgrade that waits for its payment (what it displaced comes back), a downgrade or the end.

    Raises `NotSubscribed`, `NothingPending`, `ChangeInFlight` and `PaymentUnavailable`.
    """
    if await _take_back_awaited(context, workspace_id, authorize):
        return ChangeResult(None)
    await _sync(context, workspace_id)

    async def begin(session: Session) -> SubscriptionChangeRow:
        await authorize(session)
        row, before = await _locked_state(session, context, workspace_id)
        if row.pending is None:
            raise NothingPending
        summary = "What was pending for the subscription was taken back."
        await audit_log.record(
            session, workspace_id, actor, "subscription.kept", summary, before={"pending": row.pending["kind"]}
        )
        return await change_states.begin(
            session,
            workspace_id=workspace_id,
            subscription_id=row.provider_id or "",
            mutation="keepSubscription",
            key=None,
            key_hash=b"",
            goal=Goal(None),
            before=before,
        )

    return await _finish(context, await transact(context.database, begin, step="keep.begin"))


async def _begin_change(
    session: Session, context: FlowContext, request: ChangeRequest, access: WorkspaceAccess, count: Count
) -> _BegunChange:
    workspace_id = access.workspace.id
    # who joins locks the workspace first too: so seats are counted right
    await workspace_store.lock(session, workspace_id)
    await billing_account_store.lock(session, workspace_id)
    earlier = await _earlier(session, request)
    if earlier is not None:
        return _BegunChange(earlier, False)
    row, before = await _locked_state(session, context, workspace_id)
    quote = request.quote
    if quote is not None and quote.version != row.version:
        raise PriceChanged
    planned = await _planned(session, context, request, row, before)
    if planned.goal.now is not None:
        await count(session)
        await card_mirror.card_to_charge(session, workspace_id, None)
    elif quote is not None:
        # what is free now was quoted as charged
        raise PriceChanged
    change = await change_states.begin(
        session,
        workspace_id=workspace_id,
        subscription_id=row.provider_id or "",
        mutation=request.mutation,
        key=request.idempotency_key,
        key_hash=request.input_hash,
        goal=planned.goal,
        before=before,
        prorated_at=quote.prorated_at if quote is not None else None,
    )
    after = {"timing": planned.timing.value, **{name: value for name, value in change.goal.items() if value}}
    summary = "A change of the subscription was asked for."
    await audit_log.record(session, workspace_id, request.actor, "subscription.change_requested", summary, after=after)
    return _BegunChange(change, True)


async def _planned(
    session: Session, context: FlowContext, request: ChangeRequest, row: SubscriptionRow, before: Goal
) -> PlannedChange:
    sold = await read_sold(session, context)
    present = present_choice(row, sold.offered)
    assert present is not None, "a live subscription has terms"
    counted = await all_in(session, membership_store.COUNTS, [request.workspace_id])
    return plan_change(
        context.catalog,
        present,
        request.wanted,
        used_seats=counted[0].members if counted else 0,
        pending=before if before.later is not None or before.ends else None,
    )


async def _locked_state(session: Session, context: FlowContext, workspace_id: UUID) -> tuple[SubscriptionRow, Goal]:
    """The live subscription, locked, and what is decided for it. Raises `NotSubscribed`, `ChangeInFlight`, `WorkspaceClosing`."""
    require_open(await billing_account_store.lock(session, workspace_id))
    row = await subscription_store.lock(session, workspace_id)
    if row is None or row.provider_id is None:
        raise NotSubscribed
    if await subscription_store.change_in_flight(session, workspace_id) is not None:
        raise ChangeInFlight
    sold = await read_sold(session, context)
    return row, decided(row, sold.offered)


def decided(row: SubscriptionRow, offered: Offered) -> Goal:
    """What is decided for a live subscription and not in flight: a downgrade, or its end."""
    if row.pending is None or row.pending["kind"] != PendingChangeKind.DOWNGRADE:
        return Goal(None, ends=row.ends_at is not None)
    choice = row.pending["choice"]
    pending = pending_from_json(row.pending, offered.by_id[choice["terms_id"]] if choice is not None else None)
    return Goal(None, later=pending.choice)


async def _earlier(session: Session, request: ChangeRequest) -> SubscriptionChangeRow | None:
    """The change that the request's key began; raises `IdempotencyConflict` where the key was used with another input."""
    earlier = await subscription_store.change_with_key(
        session, request.workspace_id, request.mutation, request.idempotency_key
    )
    if earlier is not None and earlier.input_hash != request.input_hash:
        raise IdempotencyConflict(path=("input", "idempotencyKey"))
    return earlier


async def _answer_again(context: FlowContext, earlier: SubscriptionChangeRow) -> ChangeResult | None:
    """The present state of an earlier change with the same key; None once it is known to have done nothing: it begins anew."""
    context.database.fault("change.asked-again")
    present = earlier
    ends_at = asyncio.get_running_loop().time() + _REPLAY_WAITS_SECONDS
    while present.state in (ChangeState.UNDER_WAY, ChangeState.UNDOING):
        if present.next_check_at is not None and present.next_check_at <= context.database.clock.now():
            try:
                await resume_change(context, present.workspace_id, present.id)
            except (GatewayUnavailable, GatewayRefused):
                return ChangeResult(PaymentPending(), is_replay=True)
        elif asyncio.get_running_loop().time() >= ends_at:
            return ChangeResult(PaymentPending(), is_replay=True)
        else:
            await asyncio.sleep(_POLL_EVERY_SECONDS)
        async with context.database.read() as session:
            present = await subscription_store.change(session, earlier.workspace_id, earlier.id) or present
    if present.state == ChangeState.FAILED and present.idempotency_key is None:
        return None
    return replace(await _result_of(context, present), is_replay=True)


async def _finish(context: FlowContext, change: SubscriptionChangeRow) -> ChangeResult:
    """Make a change that was begun, and say what came of it."""
    try:
        present = await advance(context, change.workspace_id, change.id, sends_payment=True)
    except GatewayRefused as error:
        raise PaymentRefused from error
    except GatewayUnavailable:
        # what was asked may have happened: the worker finds out, and so does a call with the same key
        async with context.database.read() as session:
            present = await subscription_store.change(session, change.workspace_id, change.id)
        if present is None or present.state in (ChangeState.UNDER_WAY, ChangeState.UNDOING):
            return ChangeResult(PaymentPending() if change.prorated_at is not None else PaymentUnavailable())
    await refresh_upcoming(context, change.workspace_id)
    return await _result_of(context, present or change)


async def _result_of(context: FlowContext, change: SubscriptionChangeRow) -> ChangeResult:
    match ChangeState(change.state):
        case ChangeState.DONE:
            return ChangeResult(None)
        case ChangeState.AWAITING_PAYMENT:
            return ChangeResult(await _action_required(context, change))
        case ChangeState.UNDER_WAY | ChangeState.UNDOING:
            return ChangeResult(PaymentPending())
        case ChangeState.LAPSED:
            return ChangeResult(LapsedUnpaid())
        case ChangeState.TAKEN_BACK:
            return ChangeResult(Conflict("This change was taken back."))
        case ChangeState.FAILED:
            return ChangeResult(_failed(change))


def _failed(change: SubscriptionChangeRow) -> DomainError:
    match Failure(change.failure or Failure.INTERRUPTED):
        case Failure.DECLINED:
            message = change.failure_message or "The card was declined."
            return PaymentDeclined(message, decline_code=change.decline_code)
        case Failure.PRICE_CHANGED:
            return PriceChanged()
        case Failure.ENDED:
            return NotSubscribed("The subscription ended before this change was made.")
        case Failure.REFUSED:
            return PaymentRefused()
        case _:
            return PaymentUnavailable()


async def _action_required(context: FlowContext, change: SubscriptionChangeRow) -> DomainError:
    try:
        invoice = await context.gateway.invoice(change.invoice_id or "")
    except (GatewayUnavailable, GatewayRefused):
        return PaymentPending()
    if invoice is None or invoice.attempt.client_secret is None:
        return PaymentPending()
    return PaymentActionRequired(
        client_secret=invoice.attempt.client_secret, hosted_url=invoice.attempt.action_url or invoice.hosted_url
    )


async def _require_quoted_price(context: FlowContext, change: SubscriptionChangeRow, quote: Quote) -> None:
    """Make the quote's preview again, and give the change up where it says something else by now.

    Raises `PriceChanged`, and `PaymentUnavailable` where the provider can't be asked.
    """
    try:
        is_same = await _costs_what_was_quoted(context, change, quote)
    except GatewayRefused:
        # as for a moment that is not in the present period any more
        is_same = False
    except GatewayUnavailable as error:
        await _give_up(context, change, Failure.INTERRUPTED)
        raise PaymentUnavailable from error
    if not is_same:
        await _give_up(context, change, Failure.PRICE_CHANGED)
        raise PriceChanged


async def _costs_what_was_quoted(context: FlowContext, change: SubscriptionChangeRow, quote: Quote) -> bool:
    async with context.database.read() as session:
        sold = await read_sold(session, context)
    snapshot = await fetch_snapshot(context, change.workspace_id)
    goal = goal_from_json(change.goal, sold.offered.by_id)
    if snapshot is None or goal.now is None or quote.prorated_at < snapshot.period_start:
        return False
    preview = await context.gateway.preview_change(
        snapshot.subscription.id, item_change(snapshot, goal.now, sold.prices, prorated_at=quote.prorated_at)
    )
    return (preview.total_minor, preview.tax_minor) == (quote.total_minor, quote.tax_minor)


async def _give_up(context: FlowContext, change: SubscriptionChangeRow, failure: Failure) -> None:
    """Give up a change of which nothing was sent yet."""

    async def work(session: Session) -> None:
        await change_states.undo(session, change.workspace_id, change.id, failure)
        await change_states.finish(session, change.workspace_id, change.id)

    await transact(context.database, work, step="change.give_up")


async def _sync(context: FlowContext, workspace_id: UUID) -> None:
    try:
        await sync_subscription(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error


async def _take_back_awaited(context: FlowContext, workspace_id: UUID, authorize: Authorize) -> bool:
    """Take back a change that waits for its payment; False where none does. Raises `ChangeInFlight` and `PaymentUnavailable`."""

    async def begin(session: Session) -> SubscriptionChangeRow | None:
        await authorize(session)
        await billing_account_store.lock(session, workspace_id)
        change = await subscription_store.change_in_flight(session, workspace_id)
        if change is None:
            return None
        if change.state != ChangeState.AWAITING_PAYMENT:
            raise ChangeInFlight
        return await change_states.undo(session, workspace_id, change.id, Failure.TAKEN_BACK)

    change = await transact(context.database, begin, step="keep.take_back")
    if change is None:
        return False
    try:
        present = await advance(context, workspace_id, change.id, sends_payment=False)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error
    if present is not None and present.state == ChangeState.DONE:
        raise Conflict("This was paid at the same moment: the change is made.")
    await refresh_upcoming(context, workspace_id)
    return True
