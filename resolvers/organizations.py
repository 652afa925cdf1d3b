"""Organizations, and what workspaces go by."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.callers import Anonymous
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.workspaces import organizations
from app.accounts.workspaces.organizations import NewOrganization, WorkspaceChange
from app.billing.subscriptions.seats import Seats, seats_of
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Plan
from app.errors import Unauthenticated
from resolvers import global_ids
from resolvers.context import Context
from resolvers.workspaces import again


async def create_organization(context: Context, form: NewOrganization) -> WorkspaceAccess:
    """Make an organization that the person who asks owns."""
    runtime = context.runtime
    return await organizations.create_organization(
        runtime.database,
        runtime.keys.abuse_key,
        runtime.rate_limits,
        context.caller,
        form,
        owners_set_external_ids=runtime.owners_set_external_ids,
    )


async def update_workspace(context: Context, workspace_id: str, change: WorkspaceChange) -> WorkspaceAccess:
    """Let a workspace go by another name, handle or external id."""
    if isinstance(context.caller, Anonymous):
        # nobody learns whether an id is one
        raise Unauthenticated
    runtime = context.runtime
    return await organizations.update_workspace(
        runtime.database,
        runtime.rate_limits,
        runtime.keys.abuse_key,
        context.caller,
        global_ids.workspace_id(workspace_id),
        change,
        owners_set_external_ids=runtime.owners_set_external_ids,
    )


def plan(context: Context, workspace_id: UUID) -> Plan:
    """The plan a workspace is on."""
    return plan_of(context.runtime.catalog, workspace_id)


async def seats(context: Context, workspace_id: UUID) -> Seats:
    """The seats of a workspace that the caller may see."""
    async with context.runtime.database.read() as session:
        return await seats_of(session, context.runtime.catalog, workspace_id)


async def subscription(context: Context, subscription_id: str) -> WorkspaceAccess:
    """The workspace whose subscription this is the id of, if the caller may see it."""
    return await again(context, global_ids.row_id(subscription_id, "Subscription"))
