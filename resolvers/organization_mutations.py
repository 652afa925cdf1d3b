"""Organizations, and what workspaces go by."""

from __future__ import annotations

from app.accounts.access.callers import Anonymous
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.workspaces import organizations
from app.accounts.workspaces.organizations import NewOrganization, WorkspaceChange
from app.errors import Unauthenticated
from resolvers import global_ids
from resolvers.context import Context


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
        milestones=runtime.trials,
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
