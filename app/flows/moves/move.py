"""Moving a workspace to another plan at once, step by step: end what is paid, begin the next plan, refund what was not used.

Each step is decided by what is noted and what the provider has by then. So whoever comes next, the same caller or the worker,
finishes what a crash interrupted. A workspace has never two live subscriptions: the next is begun once the one before has ended.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog

from app.billing.moves import plan_moves
from app.billing.moves.plan_moves import MOVE_ID, AlreadyLive
from app.billing.moves.plan_refunds import SEND_WITHIN
from app.billing.subscriptions.goals import TERMS_ID, WORKSPACE_ID
from app.billing.subscriptions.plan_choice import choice_from_json
from app.billing.subscriptions.sold_terms import read_sold
from app.db.engine import Session
from app.db.tables.plan_moves import MoveState, PlanMoveRow
from app.db.unit_of_work import transact
from app.errors import DomainError
from app.flows.flow_context import FlowContext
from app.flows.moves.plan_refunds import send_refunds
from app.flows.moves.unused_worth import unused_worth
from app.flows.provider.catalog_sync import sync_terms
from app.flows.provider.customers import ensure_customer
from app.flows.provider.tax_country import tax_country
from app.flows.subscriptions.checkout_page import items_to_buy
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_errors import GatewayMissing, GatewayRefused
from app.payments.subscription_values import ProviderSubscription, SubscriptionStatus
from app.store import billing_accounts as billing_account_store
from app.store import plan_moves as plan_move_store

_MOST_STEPS: Final = 8
_NOT_BEGUN: Final = "It could not be begun in time."
_NEVER_BEGAN: Final = (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.INCOMPLETE_EXPIRED)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def advance_move(context: FlowContext, workspace_id: UUID, move_id: UUID) -> PlanMoveRow | None:
    """Bring a move to its end, and return it as it is then. Raises `GatewayUnavailable`: then it goes on later."""
    move: PlanMoveRow | None = None
    for _ in range(_MOST_STEPS):
        async with context.database.read() as session:
            move = await plan_move_store.find(session, workspace_id, move_id)
        if move is None:
            return None
        match MoveState(move.state):
            case MoveState.UNDER_WAY | MoveState.ENDING:
                await _leave(context, move)
            case MoveState.BEGINNING:
                await _begin(context, move)
            case MoveState.REFUNDING:
                await send_refunds(context, workspace_id, move_id)
                await _finish(context, move)
            case MoveState.DONE | MoveState.FAILED:
                break
    return move


async def _leave(context: FlowContext, move: PlanMoveRow) -> None:
    """End what is paid, once what goes back of it is decided, and mirror the end."""
    if move.subscription_id is not None:
        subscription = await _fetch(context, move.subscription_id)
        if subscription is not None and not subscription.has_ended:
            try:
                if not await _end(context, move, subscription):
                    return
            except GatewayRefused as refused:
                await _give_up(context, move, str(refused))
                return

    async def leave(session: Session) -> None:
        sold = await read_sold(session, context.catalog, move.workspace_id)
        await plan_moves.leave(session, move.workspace_id, move.id, sold)

    await transact(context.database, leave, step="move.leave")


async def _end(context: FlowContext, move: PlanMoveRow, subscription: ProviderSubscription) -> bool:
    """Decide what goes back, and end the subscription without billing anything; False where somebody has done so by now."""
    # decided each time anew: since the last time it may have been renewed
    worth = await unused_worth(context, subscription)
    if not await transact(
        context.database,
        lambda session: plan_moves.decide(session, move.workspace_id, move.id, worth.parts, worth.currency),
        step="move.decide",
    ):
        return False
    await context.gateway.end_now(subscription.id)
    return True


async def _give_up(context: FlowContext, move: PlanMoveRow, reason: str) -> None:
    """Give a move up of which nothing has happened: the provider refuses it, and would again."""
    _log.error("move.refused", workspace=str(move.workspace_id), move=str(move.id), reason=reason)
    await transact(
        context.database,
        lambda session: plan_moves.give_up(session, move.workspace_id, move.id, reason),
        step="move.give_up",
    )


async def _fetch(context: FlowContext, subscription_id: str) -> ProviderSubscription | None:
    try:
        return await context.gateway.subscription(subscription_id)
    except GatewayMissing:
        return None


async def _begin(context: FlowContext, move: PlanMoveRow) -> None:
    """Begin the next paid plan on the card on file, unless that is done by now; what keeps it from being begun is noted."""
    try:
        failure = None if await _has_begun(context, move) else await _create(context, move)
    except AlreadyLive as live:
        # perhaps the very one, begun by another who makes this move at the same time
        failure = None if await _has_begun(context, move) else live.message
    except (DomainError, GatewayRefused) as refused:
        failure = refused.message if isinstance(refused, DomainError) else str(refused)
        _log.warning("move.not_begun", workspace=str(move.workspace_id), move=str(move.id), reason=failure)
    if failure is None:
        await sync_subscription(context, move.workspace_id)
    await transact(
        context.database,
        lambda session: plan_moves.arrive(session, context.catalog, move.workspace_id, move.id, failure=failure),
        step="move.arrive",
    )


async def _has_begun(context: FlowContext, move: PlanMoveRow) -> bool:
    async with context.database.read() as session:
        account = await billing_account_store.find(session, move.workspace_id)
    if account is None or account.customer_id is None:
        return False
    found = await context.gateway.find_subscriptions(account.customer_id)
    return any(each.metadata.get(MOVE_ID) == str(move.id) and each.status not in _NEVER_BEGAN for each in found)


async def _create(context: FlowContext, move: PlanMoveRow) -> str | None:
    """Create the subscription; returns why it can't be any more. Raises `PaymentMethodRequired`, `GatewayRefused` and others."""
    workspace_id = move.workspace_id
    if context.database.clock.now() >= move.created_at + SEND_WITHIN:
        # the key of the call may be forgotten by now: the operator decides
        return _NOT_BEGUN
    customer_id = await ensure_customer(context, workspace_id)
    async with context.database.read() as session:
        sold = await read_sold(session, context.catalog, workspace_id)
    assert move.goal is not None, "only a paid plan is begun"
    choice = choice_from_json(move.goal, sold.by_id[move.goal["terms_id"]])
    await sync_terms(context, choice.terms)
    items, tax_rate_ids = await items_to_buy(context, choice, await tax_country(context, workspace_id))
    claimed = await transact(
        context.database,
        lambda session: plan_moves.claim_begin(session, workspace_id, move.id),
        step="move.claim",
    )
    if claimed is None or claimed.card_id is None:
        return None
    await context.gateway.create_subscription(
        customer_id,
        items,
        card_id=claimed.card_id,
        tax_rate_ids=tax_rate_ids,
        metadata={WORKSPACE_ID: str(workspace_id), TERMS_ID: choice.terms.id, MOVE_ID: str(move.id)},
        ends_at=move.ends_at,
        key=f"{move.id}:begin:{customer_id}",
    )
    return None


async def _finish(context: FlowContext, move: PlanMoveRow) -> None:
    async def finish(session: Session) -> None:
        sold = await read_sold(session, context.catalog, move.workspace_id)
        await plan_moves.finish(session, move.workspace_id, move.id, sold)

    await transact(context.database, finish, step="move.finish")


async def resume_move(context: FlowContext, workspace_id: UUID, move_id: UUID) -> None:
    """What the worker does with a move that nobody is making any more. Raises `GatewayUnavailable`: then it is due again soon."""
    async with context.database.read() as session:
        move = await plan_move_store.find(session, workspace_id, move_id)
    if move is not None and move.next_check_at is not None and move.next_check_at <= context.database.clock.now():
        await take_over_and_advance(context, move)


async def take_over_and_advance(context: FlowContext, move: PlanMoveRow) -> None:
    """Go on with a move that somebody has left, unless another does so by now. Raises `GatewayUnavailable`."""
    if await transact(
        context.database,
        lambda session: plan_moves.take_over(session, move.workspace_id, move.id, seen=move.next_check_at),
        step="move.resume",
    ):
        await advance_move(context, move.workspace_id, move.id)
