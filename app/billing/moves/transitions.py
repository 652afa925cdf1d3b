"""Leaving a legacy plan: what its customers can move to, once and for good."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.billing.moves import plan_moves
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.kept_terms import find_terms_in
from app.billing.subscriptions.plan_choice import PlanChoice
from app.billing.subscriptions.workspace_plan import known_terms
from app.catalog import Catalog, PlanTerms, plan_terms
from app.db.engine import Session
from app.db.tables.plan_moves import MoveKind, PlanMoveRow
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.store import billing_accounts as billing_account_store
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store


class NothingToLeave(DomainError):
    """This workspace is not on a legacy plan: there is nothing to leave."""

    code = ErrorCode.NO_CHANGE


@dataclass(frozen=True, slots=True)
class Transition:
    """What a workspace on a legacy plan can move to, and what it is told."""

    origin: PlanTerms
    target: PlanTerms
    message: str


def transition_of(catalog: Catalog, terms: PlanTerms) -> Transition | None:
    """What those on these terms can move to; None for a plan that is still sold. The catalog decides while it knows the plan."""
    plan = catalog.plan(terms.plan.code) or terms.plan
    target = catalog.plan(plan.transition.to) if plan.transition is not None else None
    if plan.transition is None or target is None:
        return None
    return Transition(terms, plan_terms(catalog, target), plan.transition.message)


async def begin_transition(
    session: Session, catalog: Catalog, workspace_id: UUID, *, key: str, actor: Actor
) -> tuple[PlanMoveRow, bool]:
    """Write down that a workspace leaves its legacy plan; and whether it was not before, with the same key.

    Raises `NothingToLeave`, `ChangeInFlight` and `WorkspaceClosing`.
    """
    account = await billing_account_store.lock(session, workspace_id)
    earlier = await plan_move_store.with_key(session, workspace_id, key)
    if earlier is not None:
        return earlier, False
    require_open(account)
    row = await subscription_store.lock(session, workspace_id)
    if row is None or row.terms_id is None or not given_plans.is_in_force(row, session.now):
        raise NothingToLeave
    terms = known_terms(catalog, row.terms_id, await find_terms_in(session, catalog, row.terms_id))
    transition = transition_of(catalog, terms)
    if transition is None:
        raise NothingToLeave
    target = transition.target
    goal = PlanChoice(target, None, target.plan.seats.included) if _is_given(catalog, target) else None
    move = await plan_moves.begin(
        session, workspace_id=workspace_id, kind=MoveKind.TRANSITION, row=row, goal=goal, key=key
    )
    summary = "Leaving a legacy plan was asked for."
    await audit_log.record(
        session,
        workspace_id,
        actor,
        "subscription.transition_requested",
        summary,
        before={"terms": row.terms_id},
        after={"terms": target.id},
    )
    return move, True


def _is_given(catalog: Catalog, target: PlanTerms) -> bool:
    return target.plan.code != catalog.fallback_plan_code
