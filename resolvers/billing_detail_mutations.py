"""Changing billing details, and the provider's portal."""

from __future__ import annotations

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import require_authenticated
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_seen_by
from app.billing.payments.billing_details import DetailsChange
from app.flows.provider.details_change import update_details
from app.flows.provider.portals import open_portal
from resolvers import global_ids
from resolvers.billing_access import billing_authorization
from resolvers.context import Context
from resolvers.payment_rate_limits import details_limits, portal_limits
from resolvers.return_urls import portal_return_url


async def update_billing_details(context: Context, workspace_global_id: str, change: DetailsChange) -> WorkspaceAccess:
    """Change whom the workspace's invoices are made out to; the workspace."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    authorize = billing_authorization(context, workspace_id)
    async with context.runtime.database.read() as session:
        await authorize(session)
    await update_details(
        context.runtime.flow_context,
        workspace_id,
        change,
        actor_of(context.caller),
        authorize,
        details_limits(context, workspace_id),
    )
    return await workspace_seen_by(context.reads, context.caller, workspace_id)


async def create_billing_portal(context: Context, workspace_global_id: str, return_to: str | None) -> str:
    """The address of the provider's portal for the workspace."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    authorize = billing_authorization(context, workspace_id)
    async with context.runtime.database.read() as session:
        await authorize(session)
    return await open_portal(
        context.runtime.flow_context,
        workspace_id,
        portal_return_url(context, return_to),
        actor_of(context.caller),
        authorize,
        portal_limits(context, workspace_id),
    )
