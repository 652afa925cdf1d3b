"""Saving, choosing and removing cards."""

from __future__ import annotations

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import require_authenticated
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for, workspace_seen_by
from app.accounts.workspaces.phone_verification import require_phone
from app.db.tables.payments import CardRow
from app.flows.provider.cards import CardSetup, add_card, remove_card, set_default_card
from app.store import billing_accounts as billing_account_store
from app.store.billing_accounts import Card
from resolvers import global_ids
from resolvers.billing_access import billing_authorization, require_payer
from resolvers.context import Context
from resolvers.payment_rate_limits import limit_card_testing
from resolvers.return_urls import return_url


async def add_payment_method(context: Context, workspace_global_id: str, return_to: str | None) -> CardSetup:
    """Begin to save a card: the client secret to confirm it with, and a page for those without an SDK."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    runtime = context.runtime
    async with runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING)
        await require_payer(session, context.caller)
        if runtime.catalog.phone_required:
            await require_phone(session, workspace_id)
    urls = return_url(context, return_to)
    return await limit_card_testing(
        context, workspace_id, lambda: add_card(runtime.flow_context, workspace_id, urls, actor_of(context.caller))
    )


async def set_default_payment_method(context: Context, card_id: str) -> Card | CardRow:
    """Charge this card by default."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    asked = actor_of(context.caller), billing_authorization(context, workspace_id)
    card = await set_default_card(context.runtime.flow_context, workspace_id, row_id, *asked)
    return await context.reads.one_of(billing_account_store.CARDS, (workspace_id, row_id)) or card


async def remove_payment_method(context: Context, card_id: str) -> WorkspaceAccess:
    """Forget a card; the workspace it was on."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    await remove_card(
        context.runtime.flow_context,
        workspace_id,
        row_id,
        actor_of(context.caller),
        billing_authorization(context, workspace_id),
    )
    return await workspace_seen_by(context.reads, context.caller, workspace_id)
