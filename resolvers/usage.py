"""Usage: the bars of a workspace, who used how much, and whether more may be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from app.accounts.access.callers import KeyCaller, require_authenticated
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_seen_by
from app.metering.bars import Usage, UsageBar, read_usage
from app.metering.usage_check import UsageCheck, check_usage
from app.metering.use_by_subject import SubjectUse, read_most_use
from resolvers import global_ids
from resolvers.billing_access import sees_billing
from resolvers.context import Context
from resolvers.pagination import page_size
from resolvers.workspaces import workspace_by_id

USUAL_SUBJECTS = 10


@dataclass(frozen=True, slots=True)
class UsageRequest:
    """What is wanted beside the bars: use per day, and at most so many of those who used most."""

    with_series: bool = True
    subjects: int = 0


async def usage_of(context: Context, workspace_id: UUID, request: UsageRequest) -> Usage:
    """The usage of a workspace as it stands, for callers whose rights were checked."""
    catalog = context.runtime.catalog
    return await read_usage(
        context.reads, catalog, workspace_id, with_series=request.with_series, subjects=request.subjects
    )


async def usage(context: Context, usage_id: str) -> tuple[Usage, WorkspaceAccess]:
    """A usage by its id, and its workspace as the caller may use it; raises what `workspace_for` does."""
    workspace_id = global_ids.row_id(usage_id, "Usage")
    access = await workspace_by_id(context, workspace_id)
    return await usage_of(context, workspace_id, UsageRequest()), access


async def bar(context: Context, bar_id: str) -> tuple[UsageBar | None, WorkspaceAccess]:
    """A bar by its id, None for a resource that today's catalog lacks, and its workspace; raises what `workspace_for` does."""
    workspace_id, resource = global_ids.owned_code(bar_id, "UsageBar")
    access = await workspace_by_id(context, workspace_id)
    return (await usage_of(context, workspace_id, UsageRequest())).bar(resource), access


async def most_use(context: Context, of: UsageBar, first: int | None) -> tuple[SubjectUse, ...]:
    """Those who used most of a resource, the most first, for callers whose rights were checked."""
    size = page_size(first, usual=USUAL_SUBJECTS)
    found = of.most_use
    if found is None or found.asked < size:
        found = await read_most_use(context.reads, of.workspace_id, of.whole, of.period.start, size)
    return found.uses[:size]


async def usage_check(context: Context, workspace_global_id: str, resource: str, quantity: Decimal) -> UsageCheck:
    """Whether so much more may be used, for those who see the workspace; what it costs, for those who see its billing and for the
    host product's own servers.
    """
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    access = await workspace_seen_by(context.reads, context.caller, workspace_id)
    check = await check_usage(context.reads, context.runtime.catalog, workspace_id, resource, quantity)
    is_host = isinstance(context.caller, KeyCaller) and context.caller.is_service
    return check if is_host or sees_billing(access) else replace(check, needed=0)
