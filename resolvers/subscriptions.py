"""Subscriptions: the plan that a workspace is on, its seats, and what is decided for later."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.moves.transitions import Transition, transition_of
from app.billing.subscriptions.shown_subscription import ShownSubscription, shown_subscription
from app.billing.subscriptions.workspace_plan import terms_seen
from app.catalog import PlanTerms
from app.errors import Unavailable
from app.flows.moves.transition import transition_refund
from app.money import Money
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import invoices as invoice_store
from app.store.invoices import MirroredInvoice
from resolvers import global_ids
from resolvers.billing_access import sees_billing
from resolvers.context import Context
from resolvers.workspaces import workspace_by_id


async def terms(context: Context, workspace_id: UUID) -> PlanTerms:
    """The plan that a workspace is on, with the terms it has it on, for callers whose rights were checked."""
    return await terms_seen(context.reads, context.runtime.catalog, workspace_id)


async def plan_transition(context: Context, workspace_id: UUID) -> Transition | None:
    """What a workspace on a legacy plan can move to, for callers whose rights were checked; None on any other plan."""
    return transition_of(context.runtime.catalog, await terms(context, workspace_id))


async def refund_of_transition(context: Context, access: WorkspaceAccess) -> Money | None:
    """What would go back to the cards now, as the provider says, for those who see the billing; None for nothing.

    Raises `Unavailable` where the provider does not answer.
    """
    if not sees_billing(access):
        return None
    try:
        return await transition_refund(context.runtime.flow_context, access.workspace.id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise Unavailable from error


async def subscription_of(context: Context, workspace_id: UUID) -> ShownSubscription:
    """The subscription of a workspace as it stands, for callers whose rights were checked."""
    return await shown_subscription(context.reads, context.runtime.catalog, workspace_id)


async def subscription(context: Context, subscription_id: str) -> tuple[ShownSubscription, WorkspaceAccess]:
    """A subscription by its id, and its workspace as the caller may use it; raises what `workspace_for` does."""
    workspace_id = global_ids.row_id(subscription_id, "Subscription")
    access = await workspace_by_id(context, workspace_id)
    return await subscription_of(context, workspace_id), access


async def invoice_waited_for(context: Context, workspace_id: UUID, provider_id: str) -> MirroredInvoice | None:
    """The mirrored invoice that a change waits for, once it is here, for callers who see the workspace's billing."""
    return await context.reads.row(invoice_store.WITH_PROVIDER_ID, workspace_id, provider_id)
