"""Subscriptions: the plan that a workspace is on, and its seats."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.subscriptions.seats import Seats, seats_of
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import PlanTerms, plan_terms
from resolvers import global_ids
from resolvers.context import Context
from resolvers.workspaces import workspace_by_id


def terms(context: Context, workspace_id: UUID) -> PlanTerms:
    """The plan a workspace is on, with the terms it has it on."""
    catalog = context.runtime.catalog
    return plan_terms(catalog, plan_of(catalog, workspace_id))


async def seats(context: Context, workspace_id: UUID) -> Seats:
    """The seats of a workspace that the caller may see."""
    return await seats_of(context.reads, context.runtime.catalog, workspace_id)


async def subscription(context: Context, subscription_id: str) -> WorkspaceAccess:
    """The workspace whose subscription this is the id of, if the caller may see it."""
    return await workspace_by_id(context, global_ids.row_id(subscription_id, "Subscription"))
