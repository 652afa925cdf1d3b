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
from app.billing.payments.billing_details import require_address
from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.payments.payment_errors import PaymentPending, PaymentUnavailable
from app.billing.subscriptions import change_states
from app.billing.subscriptions.additions import WantedQuantity, plan_quantity
from app.billing.subscriptions.change_states import Failure
from app.billing.subscriptions.goals import Goal, Snapshot, goal_from_json, item_change
from app.billing.subscriptions.planner import PlannedChange, WantedChange, plan_change
from app.billing.subscriptions.present_state import locked_state, prorated_from, require_chargeable
from app.billing.subscriptions.quotes import PriceChanged, Quote
from app.billing.subscriptions.sold_terms import Sold, read_sold
from app.billing.subscriptions.subscription_states import present_choice
from app.catalog import Catalog
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.subscriptions import ChangeState, SubscriptionChangeRow, SubscriptionRow
from app.db.unit_of_work import transact
from app.errors import IdempotencyConflict
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import try_to_sync_cards
from app.flows.subscriptions.advance import take_over_and_advance
from app.flows.subscriptions.change_results import (
    ChangeResult,
    finish_change,
    result_of,
    sync_first,
)
from app.flows.subscriptions.sync import fetch_snapshot
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import billing_accounts as billing_account_store
from app.store import memberships as membership_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

_REPLAY_WAITS_SECONDS: Final = 20.0
_POLL_EVERY_SECONDS: Final = 0.1

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]
Count = Callable[[Session], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change that somebody asked for by a mutation. `actor` is for the audit log.

    `read_quote` reads what it was said to cost, which only a new change needs; it raises `PriceChanged`.
    """

    workspace_id: UUID
    mutation: str
    wanted: WantedChange | WantedQuantity
    read_quote: Callable[[], Quote] | None
    idempotency_key: str
    actor: Actor

    @property
    def input_hash(self) -> bytes:
        """What the idempotency key is bound to."""
        wanted = self.wanted
        if isinstance(wanted, WantedQuantity):
            return idempotency.input_hash(wanted.add_on_code, wanted.quantity, wanted.expected)
        add_ons = sorted(wanted.add_ons.items()) if wanted.add_ons is not None else None
        return idempotency.input_hash(wanted.plan_code, wanted.interval, wanted.seats, add_ons)


@dataclass(frozen=True, slots=True)
class _BegunChange:
    change: SubscriptionChangeRow
    is_new: bool
    quoted: Quote | None = None


async def change_subscription(
    context: FlowContext, request: ChangeRequest, authorize: Authorize, count: Count
) -> ChangeResult:
    """Change the plan, the interval, seats or add-ons: what rises at once, what falls when the period ends.

    `authorize` checks the caller on locked rows, `count` counts a change that charges, both in the transaction that begins it.
    Raises what the planner refuses, `NotSubscribed`, `ChangeInFlight`, `PriceChanged`, `PaymentMethodRequired`,
    `BillingAddressRequired`, `IdempotencyConflict`, `PaymentUnavailable`, `PaymentRefused`. A decline, and a payment that waits for
    its holder, is returned.
    """
    while True:
        async with context.database.read() as session:
            earlier = await _earlier(session, request)
        if earlier is None:
            break
        answered = await _answer_again(context, earlier)
        if answered is not None:
            return answered
    snapshot = await sync_first(context, request.workspace_id)

    async def begin(session: Session) -> _BegunChange:
        access = await authorize(session)
        return await _begin_change(session, context.catalog, request, access, count, snapshot)

    try:
        begun = await transact(context.database, begin, step="change.begin")
    except PaymentMethodRequired:
        # the event of a card that was saved a moment ago may not have come yet
        await try_to_sync_cards(context, request.workspace_id)
        begun = await transact(context.database, begin, step="change.begin")
    if not begun.is_new:
        return await _answer_again(context, begun.change) or ChangeResult(PaymentPending(), is_replay=True)
    if begun.quoted is not None:
        await _require_quoted_price(context, begun.change, begun.quoted)
    return await finish_change(context, begun.change)


async def _begin_change(
    session: Session,
    catalog: Catalog,
    request: ChangeRequest,
    access: WorkspaceAccess,
    count: Count,
    snapshot: Snapshot | None,
) -> _BegunChange:
    workspace_id = access.workspace.id
    # who joins locks the workspace first too: so seats are counted right
    await workspace_store.lock(session, workspace_id)
    await billing_account_store.lock(session, workspace_id)
    earlier = await _earlier(session, request)
    if earlier is not None:
        return _BegunChange(earlier, False)
    sold = await read_sold(session, catalog, workspace_id)
    row, before = await locked_state(session, sold, workspace_id)
    planned = await _planned(session, sold, request, row, before)
    quoted = request.read_quote() if request.read_quote is not None else None
    if quoted is not None:
        quoted.require_current(version=row.version, now=session.now)
        quoted.require_change(planned.goal)
    if planned.goal.now is not None:
        if snapshot is not None:
            require_chargeable(snapshot)
        await require_address(session, catalog.tax, workspace_id)
        await count(session)
        await card_mirror.card_to_charge(session, workspace_id, None)
    change = await change_states.begin(
        session,
        workspace_id=workspace_id,
        subscription_id=row.provider_id or "",
        mutation=request.mutation,
        key=request.idempotency_key,
        key_hash=request.input_hash,
        goal=planned.goal,
        before=before,
        prorated_at=quoted.prorated_at if quoted is not None else prorated_from(session.now, snapshot),
    )
    after = {"timing": planned.timing.value, **{name: value for name, value in change.goal.items() if value}}
    summary = "A change of the subscription was asked for."
    await audit_log.record(session, workspace_id, request.actor, "subscription.change_requested", summary, after=after)
    return _BegunChange(change, True, quoted)


async def _planned(
    session: Session, sold: Sold, request: ChangeRequest, row: SubscriptionRow, before: Goal
) -> PlannedChange:
    present = present_choice(row, sold)
    assert present is not None, "a live subscription has terms"
    counted = await all_in(session, membership_store.COUNTS, [request.workspace_id])
    used_seats = counted[0].members if counted else 0
    if isinstance(request.wanted, WantedQuantity):
        return plan_quantity(sold.catalog, present, before, request.wanted, used_seats=used_seats)
    pending = before if before.later is not None or before.ends else None
    return plan_change(sold.catalog, present, request.wanted, used_seats=used_seats, pending=pending)


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
        if change_states.seems_left(present, context.database.clock.now()):
            # whoever asks again is there to be charged, and each call has its key: nothing is done twice
            try:
                await take_over_and_advance(context, present, sends_payment=True)
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
    return replace(await result_of(context, present), is_replay=True)


async def _require_quoted_price(context: FlowContext, change: SubscriptionChangeRow, quoted: Quote) -> None:
    """Make the quote's preview again, and give the change up where it says something else by now.

    Raises `PriceChanged`, and `PaymentUnavailable` where the provider can't be asked.
    """
    try:
        await _preview_again(context, change, quoted)
    except PriceChanged:
        await _give_up(context, change, Failure.PRICE_CHANGED)
        raise
    except GatewayRefused as error:
        # as for a moment that is not in the present period any more
        await _give_up(context, change, Failure.PRICE_CHANGED)
        raise PriceChanged from error
    except GatewayUnavailable as error:
        await _give_up(context, change, Failure.INTERRUPTED)
        raise PaymentUnavailable from error


async def _preview_again(context: FlowContext, change: SubscriptionChangeRow, quoted: Quote) -> None:
    async with context.database.read() as session:
        sold = await read_sold(session, context.catalog, change.workspace_id)
    snapshot = await fetch_snapshot(context, change.workspace_id, sold)
    goal = goal_from_json(change.goal, sold.by_id)
    if snapshot is None or goal.now is None:
        raise PriceChanged
    preview = await context.gateway.preview_change(
        snapshot.subscription.id, item_change(snapshot, goal.now, sold.prices, prorated_at=quoted.prorated_at)
    )
    quoted.require_price(preview, period_start=snapshot.period_start)


async def _give_up(context: FlowContext, change: SubscriptionChangeRow, failure: Failure) -> None:
    """Give up a change of which nothing was sent yet."""

    async def work(session: Session) -> None:
        await change_states.undo(session, change.workspace_id, change.id, failure)
        await change_states.finish(session, change.workspace_id, change.id)

    await transact(context.database, work, step="change.give_up")
