"""Saving, choosing and removing cards."""

from __future__ import annotations

from app.accounts.access.audit_log import actor_of
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.workspaces.phones import require_phone
from app.db.tables.payments import CardRow
from app.flows.provider.cards import CardSetup, add_card, remove_card, set_default_card
from app.flows.provider.customers import BilledParty
from app.store import billing_accounts as billing_account_store
from resolvers import global_ids
from resolvers.billing_access import managing_billing, require_payer
from resolvers.context import Context
from resolvers.payment_rate_limits import limit_card_testing
from resolvers.return_urls import return_url


async def add_payment_method(context: Context, workspace_id: str, return_to: str | None) -> CardSetup:
    """Begin to save a card: the client secret to confirm it with, and a page for those without an SDK."""
    urls = return_url(context, return_to)
    owner = global_ids.workspace_id(workspace_id)
    runtime = context.runtime
    async with runtime.database.read() as session:
        access = await workspace_for(session, context.caller, owner, permission=WorkspacePermission.MANAGE_BILLING)
        await require_payer(session, context.caller)
        if runtime.catalog.phone_required:
            await require_phone(session, owner)
        address = await billing_account_store.contact_address(session, owner)
    await limit_card_testing(context, owner)
    party = BilledParty(owner, access.workspace.name, address)
    return await add_card(context.runtime.flow_context, party, urls, actor_of(context.caller))


async def set_default_payment_method(context: Context, card_id: str) -> CardRow:
    """Charge this card by default."""
    owner, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    asked = actor_of(context.caller), managing_billing(context, owner)
    card = await set_default_card(context.runtime.flow_context, owner, row_id, *asked)
    async with context.runtime.database.read() as session:
        return await billing_account_store.card(session, owner, row_id) or card


async def remove_payment_method(context: Context, card_id: str) -> WorkspaceAccess:
    """Forget a card; the workspace it was on."""
    owner, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    await remove_card(
        context.runtime.flow_context, owner, row_id, actor_of(context.caller), managing_billing(context, owner)
    )
    async with context.runtime.database.read() as session:
        return await workspace_for(session, context.caller, owner)
