"""What a change of a subscription would come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import workspace_seen_by
from app.billing.subscriptions.planner import WantedChange
from app.flows.subscriptions import preview
from app.flows.subscriptions.preview import ChangePreview
from resolvers import global_ids
from resolvers.context import Context


@dataclass(frozen=True, slots=True)
class PreviewAnswer:
    """What a change of a workspace's subscription would come to."""

    workspace_id: UUID
    preview: ChangePreview


async def preview_change(
    context: Context, workspace_global_id: str, wanted: Callable[[], WantedChange]
) -> PreviewAnswer:
    """What a change would come to, for those who may make it."""
    workspace_id = global_ids.workspace_id(workspace_global_id)
    await workspace_seen_by(context.reads, context.caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING)
    found = await preview.preview_change(
        context.runtime.flow_context, workspace_id, wanted(), quote_key=context.runtime.keys.quotes
    )
    return PreviewAnswer(workspace_id, found)
