"""The states of a move to another plan at once: the plan before is ended, the next one begun, and unused time refunded.

A move is written down before anything of it happens. Each step is noted, so that whoever comes next, a caller who asks again or the
worker, goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import OPERATOR, SYSTEM
from app.billing.moves import plan_refunds
from app.billing.moves.unused_time import PartToRefund
from app.billing.payments import card_mirror
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions import given_plans, owner_notices, subscription_states, usage_limits
from app.billing.subscriptions.change_states import CALL_TAKES, STEP_TAKES, ChangeInFlight
from app.billing.subscriptions.given_until import is_given
from app.billing.subscriptions.owner_notices import Notice
from app.billing.subscriptions.plan_choice import PlanChoice, choice_as_json, choice_from_json
from app.billing.subscriptions.sold_terms import Sold
from app.billing.subscriptions.workspace_plan import fallback_terms
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.plan_moves import MoveKind, MoveState, PlanMoveRow
from app.db.tables.subscriptions import SubscriptionRow, SubscriptionState
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.ids import uuid7
from app.store import billing_accounts as billing_account_store
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

MOVE_ID: Final = "move_id"
"""What the provider's subscription that a move begins carries of it as metadata."""

_ENDED_BEFORE: Final = "Its end had passed before it could begin."
_AT_END: Final = (MoveState.DONE, MoveState.FAILED)


class AlreadyLive(DomainError):
    """Another paid plan of this workspace is live by now."""

    code = ErrorCode.CONFLICT


async def begin(
    session: Session,
    *,
    workspace_id: UUID,
    kind: MoveKind,
    row: SubscriptionRow | None,
    goal: PlanChoice | None,
    ends_at: datetime | None = None,
    key: str | None = None,
) -> PlanMoveRow:
    """Write down a move that is about to be made; the billing account is locked, and so is `row`. Raises `ChangeInFlight`."""
    if await subscription_store.change_in_flight(session, workspace_id) is not None:
        raise ChangeInFlight
    if await plan_move_store.under_way(session, workspace_id) is not None:
        raise ChangeInFlight
    move = PlanMoveRow(
        workspace_id=workspace_id,
        id=uuid7(),
        kind=kind.value,
        idempotency_key=key,
        state=MoveState.UNDER_WAY.value,
        subscription_id=row.provider_id if row is not None else None,
        from_terms_id=row.terms_id if row is not None else None,
        goal=choice_as_json(goal) if goal is not None else None,
        ends_at=ends_at,
        next_check_at=session.now + STEP_TAKES,
        created_at=session.now,
    )
    session.add(move)
    await session.flush()
    return move


def seems_left(move: PlanMoveRow, now: datetime) -> bool:
    """Whether nobody has taken a step of a move for longer than a call to the provider ordinarily takes."""
    return move.next_check_at is not None and move.next_check_at - STEP_TAKES + CALL_TAKES <= now


async def take_over(session: Session, workspace_id: UUID, move_id: UUID, *, seen: datetime | None) -> bool:
    """Go on with a move that somebody has left; False where another did so first. `seen` is its due time as it was read."""
    move = await _locked(session, workspace_id, move_id)
    if move is None or move.state in _AT_END or move.next_check_at != seen:
        return False
    move.next_check_at = session.now + STEP_TAKES
    return True


async def decide(
    session: Session, workspace_id: UUID, move_id: UUID, parts: Sequence[PartToRefund], currency: str
) -> bool:
    """Write down what goes back, just before the plan is ended; False where it has been ended by now.

    What was decided before counts no more: the plan went on meanwhile.
    """
    move = await _locked(session, workspace_id, move_id)
    if move is None or move.state not in (MoveState.UNDER_WAY, MoveState.ENDING):
        return False
    await plan_move_store.forget_refunds(session, workspace_id, move_id)
    for part in parts:
        plan_refunds.add(session, move, part, currency)
    move.state, move.next_check_at = MoveState.ENDING.value, session.now + STEP_TAKES
    return True


async def give_up(session: Session, workspace_id: UUID, move_id: UUID, reason: str) -> None:
    """Give a move up before anything was ended; its key is free."""
    move = await _locked(session, workspace_id, move_id)
    if move is not None and move.state in (MoveState.UNDER_WAY, MoveState.ENDING):
        await plan_move_store.forget_refunds(session, workspace_id, move_id)
        move.state, move.failure = MoveState.FAILED.value, reason
        move.next_check_at = move.idempotency_key = None


async def leave(session: Session, workspace_id: UUID, move_id: UUID, sold: Sold) -> PlanMoveRow | None:
    """Note that the plan before is at its end, and put the workspace on the next one where nothing is paid for that."""
    move = await _locked(session, workspace_id, move_id)
    if move is None or move.state not in (MoveState.UNDER_WAY, MoveState.ENDING):
        return move
    row = await subscription_store.lock(session, workspace_id)
    if row is not None and row.provider_id is not None and row.provider_id == move.subscription_id:
        await subscription_states.mirror(session, workspace_id, sold, None)
    elif row is not None and is_given(row) and move.subscription_id is None and move.goal is None:
        await given_plans.fall_back(session, sold.catalog, row)
        row.status = SubscriptionState.ACTIVE.value
    goal = _goal(move, sold)
    if goal is not None and goal.interval is not None:
        move.state, move.next_check_at = MoveState.BEGINNING.value, session.now + STEP_TAKES
        return move
    if move.ends_at is not None and move.ends_at <= session.now:
        move.failure = _ENDED_BEFORE
    elif goal is not None:
        actor = OPERATOR if move.kind == MoveKind.OPERATOR else SYSTEM
        try:
            await given_plans.give(session, sold.catalog, workspace_id, goal, actor=actor, ends_at=move.ends_at)
        except DomainError as refused:
            # the workspace is being deleted, or another plan was paid for meanwhile
            move.failure = refused.message
    await _arrived(session, sold.catalog, move)
    return move


async def claim_begin(session: Session, workspace_id: UUID, move_id: UUID) -> PlanMoveRow | None:
    """Note that the next paid plan is about to be begun, and with which card, which stays the same however often it is tried.

    None where that is done by now. Raises `AlreadyLive`, `PaymentMethodRequired` and `WorkspaceClosing`.
    """
    move = await _locked(session, workspace_id, move_id)
    if move is None or move.state != MoveState.BEGINNING:
        return None
    require_open(await billing_account_store.find(session, workspace_id))
    row = await subscription_store.lock(session, workspace_id)
    if row is not None and row.provider_id is not None:
        raise AlreadyLive
    if move.card_id is None:
        move.card_id = (await card_mirror.card_to_charge(session, workspace_id, None)).provider_id
    move.next_check_at = session.now + STEP_TAKES
    return move


async def arrive(
    session: Session, catalog: Catalog, workspace_id: UUID, move_id: UUID, *, failure: str | None = None
) -> None:
    """Note that the next paid plan was begun, or why it was not; then money goes back."""
    move = await _locked(session, workspace_id, move_id)
    if move is not None and move.state == MoveState.BEGINNING:
        move.failure = failure
        row = await subscription_store.lock(session, workspace_id)
        if failure is not None and row is not None and row.terms_id is None:
            row.status = SubscriptionState.CANCELED.value
            subscription_states.changed(session, row)
        await _arrived(session, catalog, move)


async def _arrived(session: Session, catalog: Catalog, move: PlanMoveRow) -> None:
    await usage_limits.settle(session, catalog, move.workspace_id)
    move.state = MoveState.REFUNDING.value
    move.moved_at = session.now if move.failure is None else None
    move.next_check_at = session.now + STEP_TAKES


async def refund_again(session: Session, workspace_id: UUID) -> Sequence[UUID]:
    """Have refunds that failed sent once more, as other refunds; the ids of the moves that they are of."""
    await billing_account_store.lock(session, workspace_id)
    move_ids: dict[UUID, None] = {}
    for failed in await plan_move_store.failed_refunds(session, workspace_id):
        move = await plan_move_store.find(session, workspace_id, failed.move_id)
        if move is None or move.state not in (*_AT_END, MoveState.REFUNDING):
            continue
        failed.is_settled = True
        plan_refunds.add(
            session, move, PartToRefund(failed.invoice_id, failed.payment_id, failed.amount_minor), failed.currency
        )
        move.state, move.next_check_at = MoveState.REFUNDING.value, session.now + STEP_TAKES
        move_ids[move.id] = None
    if move_ids:
        summary = "An operator asked once more for refunds that had failed."
        await audit_log.record(session, workspace_id, OPERATOR, "subscription.refund_again", summary)
    return list(move_ids)


async def finish(session: Session, workspace_id: UUID, move_id: UUID, sold: Sold) -> None:
    """Note that a move is at its end, once every refund has an outcome, and tell the owners: once for each move."""
    move = await _locked(session, workspace_id, move_id)
    if move is None or move.state != MoveState.REFUNDING:
        return
    refunds = await plan_move_store.refunds(session, workspace_id, move_id)
    if any(plan_refunds.is_unsent(each) for each in refunds):
        return
    move.state = (MoveState.DONE if move.failure is None else MoveState.FAILED).value
    move.next_check_at = None
    back = plan_refunds.returned(refunds)
    after = {"terms": move.goal["terms_id"] if move.goal is not None else None, "refunded": str(back) if back else None}
    action, summary = ("subscription.moved", "The workspace moved to another plan.")
    if move.failure is not None:
        action, summary = ("subscription.not_begun", "The next plan could not be begun.")
    if not any(each.is_settled for each in refunds):
        before = {"terms": move.from_terms_id}
        await audit_log.record(session, workspace_id, SYSTEM, action, summary, before=before, after=after)
    goal = _goal(move, sold) if move.failure is None else None
    is_told = goal is not None and goal.interval is None and not refunds
    if not is_told and await workspace_store.get(session, workspace_id) is not None:
        row = await subscription_store.find(session, workspace_id)
        # where the next plan could not be begun, another may have been paid for meanwhile
        present = sold.by_id.get(row.terms_id) if row is not None and row.terms_id is not None else None
        plan = (goal.terms if goal is not None else present or fallback_terms(sold.catalog)).plan
        details = {"plan": plan.name, **({"refund": str(back)} if back is not None else {})}
        await owner_notices.tell(session, workspace_id, Notice.PLAN_MOVED, str(move_id), facts=details)


def _goal(move: PlanMoveRow, sold: Sold) -> PlanChoice | None:
    return choice_from_json(move.goal, sold.by_id[move.goal["terms_id"]]) if move.goal is not None else None


async def _locked(session: Session, workspace_id: UUID, move_id: UUID) -> PlanMoveRow | None:
    await billing_account_store.lock(session, workspace_id)
    return await plan_move_store.find(session, workspace_id, move_id)
