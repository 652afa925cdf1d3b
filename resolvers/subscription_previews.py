"""What a change of a subscription would come to."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import workspace_seen_by
from app.catalog import BillingInterval
from app.flows.subscriptions import preview
from app.flows.subscriptions.preview import ChangePreview
from resolvers import global_ids
from resolvers.context import Context
from resolvers.wanted_changes import wanted_change


async def preview_change(
    context: Context,
    workspace_global_id: str,
    *,
    plan_code: str | None,
    interval: BillingInterval | None,
    seats: int | None,
    add_ons: Sequence[tuple[str, int]] | None,
) -> ChangePreview:
    """What a change would come to, for those who may make it."""
    workspace_id = global_ids.workspace_id(workspace_global_id)
    await workspace_seen_by(context.reads, context.caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING)
    return await preview.preview_change(
        context.runtime.flow_context,
        workspace_id,
        wanted_change(plan_code, interval, seats, add_ons),
        quote_key=context.runtime.keys.quotes,
    )
