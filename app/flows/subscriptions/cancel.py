"""Canceling a subscription, and taking back what is pending for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments.payment_errors import PaymentUnavailable
from app.billing.subscriptions import change_states
from app.billing.subscriptions.change_states import ChangeInFlight, Failure
from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.planner import require_no_contract
from app.billing.subscriptions.present_state import locked_state
from app.billing.subscriptions.sold_terms import Sold, read_sold
from app.billing.subscriptions.subscription_states import present_choice
from app.db.engine import Session
from app.db.tables.subscriptions import ChangeState, SubscriptionChangeRow, SubscriptionRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import Conflict, DomainError
from app.flows.flow_context import FlowContext
from app.flows.subscriptions.advance import advance
from app.flows.subscriptions.change_results import ChangeResult, finish_change, sync_first
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


class NothingPending(DomainError):
    """Nothing is pending: there is nothing to take back."""

    code = ErrorCode.NO_CHANGE


async def cancel_subscription(
    context: FlowContext, workspace_id: UUID, *, reason: str | None, actor: Actor, authorize: Authorize
) -> ChangeResult:
    """Let the subscription end with its period. A change that waits for its payment is taken back first, a downgrade is dropped.

    One that ends already stays as it is. Raises `NotSubscribed`, `NotSelfServe`, `ChangeInFlight` and `PaymentUnavailable`.
    """
    await _take_back_awaited(context, workspace_id, authorize)
    await sync_first(context, workspace_id)

    async def begin(session: Session) -> SubscriptionChangeRow | None:
        await authorize(session)
        sold = await read_sold(session, context.catalog, workspace_id)
        row, before = await locked_state(session, sold, workspace_id)
        _require_no_contract(row, sold)
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
    return await finish_change(context, change) if change is not None else ChangeResult(None)


async def keep_subscription(
    context: FlowContext, workspace_id: UUID, *, actor: Actor, authorize: Authorize
) -> ChangeResult:
    """Take back what is pending: an upgrade that waits for its payment (what it displaced comes back), a downgrade or the end.

    Raises `NotSubscribed`, `NotSelfServe`, `NothingPending`, `ChangeInFlight` and `PaymentUnavailable`.
    """
    if await _take_back_awaited(context, workspace_id, authorize):
        return ChangeResult(None)
    await sync_first(context, workspace_id)

    async def begin(session: Session) -> SubscriptionChangeRow:
        await authorize(session)
        sold = await read_sold(session, context.catalog, workspace_id)
        row, before = await locked_state(session, sold, workspace_id)
        _require_no_contract(row, sold)
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

    return await finish_change(context, await transact(context.database, begin, step="keep.begin"))


def _require_no_contract(row: SubscriptionRow, sold: Sold) -> None:
    present = present_choice(row, sold)
    if present is not None:
        require_no_contract(present.terms.plan)


async def _take_back_awaited(context: FlowContext, workspace_id: UUID, authorize: Authorize) -> bool:
    """Take back a change that waits for its payment; False where none does. Raises `ChangeInFlight` and `PaymentUnavailable`."""

    async def begin(session: Session) -> SubscriptionChangeRow | None:
        await authorize(session)
        await billing_account_store.lock(session, workspace_id)
        change = await subscription_store.change_in_flight(session, workspace_id)
        if change is None or (change.state != ChangeState.AWAITING_PAYMENT and change.goal["now"] is None):
            # what an outage has left on its way, and charges nothing, is finished before anything else
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
    return True
