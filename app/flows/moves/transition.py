"""Leaving a legacy plan: at once, one way, with a refund of the time that was paid for and not used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.moves import plan_moves
from app.billing.moves.transitions import begin_transition
from app.billing.payments.payment_errors import PaymentPending, PaymentRefused
from app.db.engine import Session
from app.db.tables.plan_moves import MOVING, MoveState, PlanMoveRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.moves.move import advance_move, take_over_and_advance
from app.flows.moves.unused_worth import unused_worth
from app.flows.subscriptions.change_results import ChangeResult, sync_first
from app.money import Money
from app.payments.gateway_errors import GatewayMissing, GatewayUnavailable
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store

_REPLAY_WAITS_SECONDS: Final = 20.0
_POLL_EVERY_SECONDS: Final = 0.1
# An answer that was lost is asked for again, with the same keys, so many times.
_TRIES: Final = 3
_GOES_ON: Final = (
    "The payment provider did not answer in time. The move goes on by itself once it does; asking again does no harm."
)

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


async def transition_plan(
    context: FlowContext, workspace_id: UUID, *, idempotency_key: str, actor: Actor, authorize: Authorize
) -> ChangeResult:
    """Move the workspace from its legacy plan to what the catalog names, and refund what was paid for and not used.

    Raises `NothingToLeave`, `ChangeInFlight`, `WorkspaceClosing`, `PaymentUnavailable` and `PaymentRefused`. Where the provider
    stops answering on the way, `PaymentPending` is returned: the worker goes on.
    """
    async with context.database.read() as session:
        earlier = await plan_move_store.with_key(session, workspace_id, idempotency_key)
        row = await subscription_store.find(session, workspace_id)
    if earlier is not None:
        return await _answer_again(context, earlier)
    if row is not None and row.provider_id is not None:
        await sync_first(context, workspace_id)

    async def begin(session: Session) -> tuple[PlanMoveRow, bool]:
        await authorize(session)
        return await begin_transition(session, context.catalog, workspace_id, key=idempotency_key, actor=actor)

    move, is_new = await transact(context.database, begin, step="transition.begin")
    if not is_new:
        return await _answer_again(context, move)
    for tries_left in reversed(range(_TRIES)):
        try:
            return _result(await advance_move(context, workspace_id, move.id))
        except GatewayUnavailable:
            if not tries_left:
                break
    async with context.database.read() as session:
        return _result(await plan_move_store.find(session, workspace_id, move.id))


async def transition_refund(context: FlowContext, workspace_id: UUID) -> Money | None:
    """What would go back to the cards if the workspace's paid plan were ended now; None for nothing.

    Raises `GatewayUnavailable` and `GatewayRefused`.
    """
    async with context.database.read() as session:
        row = await subscription_store.find(session, workspace_id)
    if row is None or row.provider_id is None:
        return None
    try:
        subscription = await context.gateway.subscription(row.provider_id)
    except GatewayMissing:
        return None
    return None if subscription.has_ended else (await unused_worth(context, subscription)).total


async def _answer_again(context: FlowContext, earlier: PlanMoveRow) -> ChangeResult:
    """The present state of a move that was begun with the same key; one that nobody is making any more is gone on with."""
    present = earlier
    ends_at = asyncio.get_running_loop().time() + _REPLAY_WAITS_SECONDS
    while present.state in MOVING:
        if plan_moves.seems_left(present, context.database.clock.now()):
            try:
                await take_over_and_advance(context, present)
            except GatewayUnavailable:
                return ChangeResult(PaymentPending(_GOES_ON), is_replay=True)
        elif asyncio.get_running_loop().time() >= ends_at:
            return ChangeResult(PaymentPending(), is_replay=True)
        else:
            await asyncio.sleep(_POLL_EVERY_SECONDS)
        async with context.database.read() as session:
            present = await plan_move_store.find(session, earlier.workspace_id, earlier.id) or present
    return _result(present)


def _result(move: PlanMoveRow | None) -> ChangeResult:
    """What came of a move: once the plan before has ended it is made, and what is left of it goes on by itself."""
    if move is None or move.state in MOVING:
        return ChangeResult(PaymentPending(_GOES_ON))
    return ChangeResult(PaymentRefused() if move.state == MoveState.FAILED else None)
