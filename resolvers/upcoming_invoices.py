"""The next bill of a workspace."""

from __future__ import annotations

import asyncio

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.subscriptions.upcoming import UpcomingInvoice, is_to_be_asked, kept_invoice
from app.errors import Unavailable
from app.flows.subscriptions import upcoming
from app.store import subscriptions as subscription_store
from resolvers.billing_access import sees_billing
from resolvers.context import Context


async def upcoming_invoice(context: Context, access: WorkspaceAccess) -> UpcomingInvoice | None:
    """The next bill, for those who see the workspace's billing; None where nothing will be billed.

    The provider is asked where what it told is of another version of the subscription, or a minute old. Raises `Unavailable` where
    it does not answer and never did.
    """
    if not sees_billing(access):
        return None
    workspace_id, reads = access.workspace.id, context.reads
    subscribed, kept = await asyncio.gather(
        reads.one_of(subscription_store.SUBSCRIBED, workspace_id),
        reads.one_of(subscription_store.UPCOMING_INVOICES, workspace_id),
    )
    if subscribed is None or subscribed.provider_id is None or subscribed.version is None:
        return None
    if is_to_be_asked(kept, subscribed.version, reads.now) or kept is None:
        return await upcoming.upcoming_invoice(context.runtime.flow_context, workspace_id, subscribed.version)
    if kept.version != subscribed.version and kept.is_claimed(reads.real_now):
        return await upcoming.upcoming_invoice(context.runtime.flow_context, workspace_id, subscribed.version)
    if kept.version is None:
        raise Unavailable
    return kept_invoice(kept)
