"""Putting a workspace on a plan as an operator: one without a price is given, any other is begun on the card on file.

A paid plan is ended first, at once, and what was paid for and not used of it goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import OPERATOR
from app.billing.moves import plan_moves
from app.billing.moves.set_plans import PlanOrder, choice_to_set, is_fallback
from app.billing.payments import card_mirror
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.kept_terms import find_terms_in, keep_terms_of
from app.billing.subscriptions.plan_choice import PlanChoice, choice_as_json
from app.billing.subscriptions.plan_refusals import NothingToChange
from app.billing.subscriptions.workspace_plan import known_terms
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.plan_moves import MoveKind, PlanMoveRow
from app.db.tables.subscriptions import SubscriptionRow
from app.db.unit_of_work import transact
from app.errors import Conflict, InvalidInput
from app.flows.flow_context import FlowContext
from app.flows.moves.move import advance_move
from app.flows.moves.transition import transition_refund
from app.flows.provider.catalog_sync import sync_terms
from app.flows.provider.customers import ensure_customer
from app.flows.provider.tax_country import tax_country
from app.flows.subscriptions.change_results import sync_first
from app.flows.subscriptions.checkout import AlreadySubscribed, close_pages
from app.money import Money
from app.store import billing_accounts as billing_account_store
from app.store import memberships as membership_store
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store

_PAID_NOW: Final = (
    "A paid plan was bought for this workspace at this moment. Look at it again, then set the plan again."
)


@dataclass(frozen=True, slots=True)
class PlanToSet:
    """What an order comes to for a workspace, before anything is done.

    `choice` is None for the fallback plan. `ended` is the name of the paid plan that will be ended at once, None without one, and
    `refund` what goes back of it, None for nothing.
    """

    workspace_id: UUID
    choice: PlanChoice | None
    ends_at: datetime | None
    ended: str | None
    refund: Money | None


async def plan_to_set(
    context: FlowContext, workspace_id: UUID, order: PlanOrder, *, ends_at: datetime | None
) -> PlanToSet:
    """What an order comes to. Raises the errors of `plan_refusals`, `NothingToChange`, `InvalidInput`, `PaymentMethodRequired` for
    a paid plan without a card on file, `ChangeInFlight`, `PaymentUnavailable`, `GatewayUnavailable` and `GatewayRefused`.
    """
    if ends_at is not None and ends_at <= context.database.clock.now():
        raise InvalidInput("The end of the plan must lie in the future.")
    await sync_first(context, workspace_id)
    async with context.database.read() as session:
        counted = await all_in(session, membership_store.COUNTS, [workspace_id])
        found = choice_to_set(context.catalog, workspace_id, order, used_seats=counted[0].members if counted else 0)
        choice = None if is_fallback(context.catalog, found) and ends_at is None else found
        row = await subscription_store.find(session, workspace_id)
        if _is_on(row, choice, ends_at, session.now):
            raise NothingToChange
        if choice is not None and choice.interval is not None:
            await card_mirror.card_to_charge(session, workspace_id, None)
        ended = None
        if row is not None and row.provider_id is not None and row.terms_id is not None:
            terms = known_terms(
                context.catalog, row.terms_id, await find_terms_in(session, context.catalog, row.terms_id)
            )
            ended = terms.plan.name
    refund = await transition_refund(context, workspace_id) if ended is not None else None
    return PlanToSet(workspace_id, choice, ends_at, ended, refund)


async def set_plan(context: FlowContext, planned: PlanToSet) -> PlanMoveRow:
    """Do what `plan_to_set` came to, and return the move as it is at its end; its `failure` says why a paid plan was not begun.

    Raises what `plan_to_set` does, and `Conflict` where a paid plan was bought meanwhile. Once the move is written down the worker
    finishes it, whatever happens.
    """
    workspace_id, choice = planned.workspace_id, planned.choice
    if choice is not None and choice.interval is not None:
        # whatever could keep it from being begun is found out before anything is ended
        await ensure_customer(context, workspace_id)
        await tax_country(context, workspace_id)
        await sync_terms(context, choice.terms)
    try:
        # what is bought on a page that is open would take the place of what is set
        await close_pages(context, workspace_id)
    except AlreadySubscribed as used:
        raise Conflict(_PAID_NOW) from used

    async def begin(session: Session) -> PlanMoveRow:
        require_open(await billing_account_store.lock(session, workspace_id))
        row = await subscription_store.lock(session, workspace_id)
        if choice is not None:
            await keep_terms_of(session, choice.terms)
            if choice.interval is not None:
                await card_mirror.card_to_charge(session, workspace_id, None)
        move = await plan_moves.begin(
            session,
            workspace_id=workspace_id,
            kind=MoveKind.OPERATOR,
            row=row,
            goal=choice,
            ends_at=planned.ends_at,
        )
        after = {
            **(move.goal or {"terms_id": None}),
            "endsAt": planned.ends_at.isoformat() if planned.ends_at else None,
        }
        summary = "An operator set the plan."
        before = {"terms": row.terms_id if row is not None else None}
        await audit_log.record(session, workspace_id, OPERATOR, "subscription.set", summary, before=before, after=after)
        return move

    move = await transact(context.database, begin, step="set_plan.begin")
    return await advance_move(context, workspace_id, move.id) or move


async def finish_under_way(context: FlowContext, workspace_id: UUID) -> PlanMoveRow | None:
    """Finish a move that was begun before and is under way, and return it; None where none is. Raises `GatewayUnavailable`."""
    async with context.database.read() as session:
        move = await plan_move_store.under_way(session, workspace_id)
    return await advance_move(context, workspace_id, move.id) if move is not None else None


async def refund_again(context: FlowContext, workspace_id: UUID) -> int:
    """Send once more what failed of a workspace's refunds; returns how many moves they are of. Raises `GatewayUnavailable`."""
    move_ids = await transact(
        context.database, lambda session: plan_moves.refund_again(session, workspace_id), step="plan_refund.again"
    )
    for move_id in move_ids:
        await advance_move(context, workspace_id, move_id)
    return len(move_ids)


def _is_on(row: SubscriptionRow | None, choice: PlanChoice | None, ends_at: datetime | None, now: datetime) -> bool:
    """Whether a workspace is on exactly this already."""
    if row is None or row.terms_id is None or not given_plans.is_in_force(row, now):
        return choice is None
    if choice is None:
        return False
    kept = {"terms_id": row.terms_id, "interval": row.interval, "seats": row.seats, "add_ons": dict(row.add_ons)}
    is_trial = row.trial_ends_at is not None
    return kept == choice_as_json(choice) and row.ends_at == ends_at and not is_trial
