"""Beginning, changing, canceling and keeping a subscription."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import KeyCaller, UserCaller, require_authenticated
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.security.text_input import optional_text
from app.billing.subscriptions import quotes
from app.billing.subscriptions.additions import WantedQuantity
from app.billing.subscriptions.planner import WantedChange
from app.billing.subscriptions.quotes import Quote
from app.db.engine import Session
from app.errors import DomainError, PaymentDeclined
from app.flows.moves.transition import transition_plan
from app.flows.provider.cards import Authorize
from app.flows.subscriptions import cancel
from app.flows.subscriptions.change import ChangeRequest, change_subscription
from app.flows.subscriptions.change_results import ChangeResult
from app.flows.subscriptions.checkout import CheckoutRequest, open_checkout
from app.ledger.movements import Key
from resolvers import global_ids
from resolvers.billing_access import billing_authorization, require_payer
from resolvers.context import Context
from resolvers.payment_rate_limits import charge_limits, note_decline
from resolvers.return_urls import return_urls

MOST_REASON_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class ChangeAnswer:
    """The workspace whose subscription it is, and the error for the caller where the change is not made, or not yet."""

    workspace_id: UUID
    error: DomainError | None


async def create_checkout(
    context: Context,
    workspace_global_id: str,
    wanted: Callable[[], WantedChange],
    *,
    success_url: str | None,
    cancel_url: str | None,
    idempotency_key: str,
) -> str:
    """The address of a page on which the workspace begins to subscribe."""
    workspace_id, authorize = await _authorized(context, workspace_global_id, _payer_authorization)
    request = CheckoutRequest(
        workspace_id,
        wanted(),
        Key.of("createCheckout", idempotency_key).value,
        lambda: return_urls(context, success_url, cancel_url),
        actor_of(context.caller),
    )
    return await open_checkout(context.runtime.flow_context, request, authorize, charge_limits(context, workspace_id))


async def change(
    context: Context,
    workspace_global_id: str,
    mutation: str,
    wanted: Callable[[], WantedChange | WantedQuantity],
    *,
    quote: str | None,
    idempotency_key: str,
) -> ChangeAnswer:
    """Change what the workspace subscribes to; `mutation` is whose idempotency key it is."""
    workspace_id, authorize = await _authorized(context, workspace_global_id, _payer_authorization)

    def read_quote() -> Quote:
        return quotes.read(context.runtime.keys.quotes, quote or "", workspace_id=workspace_id)

    request = ChangeRequest(
        workspace_id,
        mutation,
        wanted(),
        read_quote if quote is not None else None,
        Key.of(mutation, idempotency_key).value,
        actor_of(context.caller),
    )
    result = await change_subscription(
        context.runtime.flow_context, request, authorize, charge_limits(context, workspace_id)
    )
    return await _answer(context, workspace_id, result)


async def set_add_on_quantity(
    context: Context,
    workspace_global_id: str,
    add_on_code: str,
    quantity: int,
    *,
    expected: int | None,
    quote: str | None,
    idempotency_key: str,
) -> ChangeAnswer:
    """Let the workspace have so many of an add-on. A program's change leaves what is pending; an owner's own takes its place."""
    caller = context.caller
    is_sellers = isinstance(caller, KeyCaller) and caller.is_service

    def wanted() -> WantedQuantity:
        drops_pending = isinstance(caller, UserCaller)
        return WantedQuantity(add_on_code, quantity, expected, drops_pending=drops_pending, is_sellers=is_sellers)

    return await change(
        context, workspace_global_id, "setAddOnQuantity", wanted, quote=quote, idempotency_key=idempotency_key
    )


async def cancel_at_period_end(context: Context, workspace_global_id: str, reason: str | None) -> ChangeAnswer:
    """Let the subscription end with its period."""
    workspace_id, authorize = await _authorized(context, workspace_global_id, billing_authorization)
    said = optional_text(reason, "reason", at_most=MOST_REASON_CHARACTERS, path=("input", "reason"))
    result = await cancel.cancel_subscription(
        context.runtime.flow_context,
        workspace_id,
        reason=said,
        actor=actor_of(context.caller),
        authorize=authorize,
    )
    return ChangeAnswer(workspace_id, result.error)


async def keep(context: Context, workspace_global_id: str) -> ChangeAnswer:
    """Take back what is pending for the subscription."""
    workspace_id, authorize = await _authorized(context, workspace_global_id, billing_authorization)
    result = await cancel.keep_subscription(
        context.runtime.flow_context,
        workspace_id,
        actor=actor_of(context.caller),
        authorize=authorize,
    )
    return ChangeAnswer(workspace_id, result.error)


async def transition(context: Context, workspace_global_id: str, idempotency_key: str) -> ChangeAnswer:
    """Leave a legacy plan for what its catalog names."""
    workspace_id, authorize = await _authorized(context, workspace_global_id, billing_authorization)
    result = await transition_plan(
        context.runtime.flow_context,
        workspace_id,
        idempotency_key=Key.of("transitionPlan", idempotency_key).value,
        actor=actor_of(context.caller),
        authorize=authorize,
    )
    return ChangeAnswer(workspace_id, result.error)


async def _answer(context: Context, workspace_id: UUID, result: ChangeResult) -> ChangeAnswer:
    if isinstance(result.error, PaymentDeclined) and not result.is_replay:
        await note_decline(context, workspace_id)
    return ChangeAnswer(workspace_id, result.error)


async def _authorized(
    context: Context, workspace_global_id: str, authorization: Callable[[Context, UUID], Authorize]
) -> tuple[UUID, Authorize]:
    """The workspace, and the check that the caller may, made once here, and to be made again on locked rows."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    authorize = authorization(context, workspace_id)
    async with context.runtime.database.read() as session:
        await authorize(session)
    return workspace_id, authorize


def _payer_authorization(context: Context, workspace_id: UUID) -> Authorize:
    may_manage_billing = billing_authorization(context, workspace_id)

    async def authorize(session: Session) -> WorkspaceAccess:
        access = await may_manage_billing(session)
        await require_payer(session, context.caller)
        return access

    return authorize
