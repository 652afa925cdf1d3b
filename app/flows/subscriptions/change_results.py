"""What came of a change of a subscription, as its caller is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.billing.payments.payment_errors import PaymentPending, PaymentRefused, PaymentUnavailable
from app.billing.subscriptions.change_states import Failure
from app.billing.subscriptions.goals import Snapshot
from app.billing.subscriptions.present_state import NotSubscribed
from app.billing.subscriptions.quotes import PriceChanged
from app.db.tables.subscriptions import ChangeState, SubscriptionChangeRow
from app.error_codes import ErrorCode
from app.errors import Conflict, DomainError, PaymentActionRequired, PaymentDeclined
from app.flows.flow_context import FlowContext
from app.flows.provider.tax_details import ensure_details
from app.flows.subscriptions.advance import advance
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import subscriptions as subscription_store


class LapsedUnpaid(DomainError):
    """The payment was not confirmed in time. Nothing was charged, and the subscription is as it was before."""

    code = ErrorCode.PAYMENT_DECLINED


_GOES_ON: Final = (
    "The payment provider did not answer in time. The change goes on by itself once it does; asking again does no harm."
)
# An answer that was lost is asked for again, with the same keys, so many times.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What came of a change: the error for the caller, None where it was made; with `is_replay` an earlier call had begun it."""

    error: DomainError | None
    is_replay: bool = False


async def finish_change(context: FlowContext, change: SubscriptionChangeRow) -> ChangeResult:
    """Make a change that was begun, and say what came of it."""
    try:
        present = await make_change(context, change)
    except GatewayRefused as error:
        raise PaymentRefused from error
    except GatewayUnavailable:
        # what was asked may have happened: the worker finds out, and so does a call with the same key
        async with context.database.read() as session:
            present = await subscription_store.change(session, change.workspace_id, change.id)
        if present is None or present.state in (ChangeState.UNDER_WAY, ChangeState.UNDOING):
            return ChangeResult(PaymentPending() if change.prorated_at is not None else PaymentUnavailable(_GOES_ON))
    return await result_of(context, present or change)


async def make_change(context: FlowContext, change: SubscriptionChangeRow) -> SubscriptionChangeRow | None:
    """Make a change that was begun, as far as it can be made now, and return it as it is then.

    Every call has its key, so that one whose answer was lost is sent again without harm. Raises `GatewayUnavailable` and
    `GatewayRefused`.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            return await advance(context, change.workspace_id, change.id, sends_payment=True)
        except GatewayUnavailable:
            if not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


async def result_of(context: FlowContext, change: SubscriptionChangeRow) -> ChangeResult:
    """What came of a change, as it stands."""
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


async def sync_first(context: FlowContext, workspace_id: UUID) -> Snapshot | None:
    """Mirror the subscription before it is changed, and return it as the provider has it, with what decides about its tax.

    A change that charges nothing, and that an outage has left on its way, is finished first. Raises `PaymentUnavailable` where the
    provider can't be asked.
    """
    try:
        async with context.database.read() as session:
            left = await subscription_store.change_in_flight(session, workspace_id)
        if left is not None and left.goal["now"] is None:
            await advance(context, workspace_id, left.id, sends_payment=False)
        await ensure_details(context, workspace_id)
        return await sync_subscription(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error
