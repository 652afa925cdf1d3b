"""Purchases of credits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import require_authenticated
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.billing.purchases.spend_limits import SpendLimitReached
from app.db.engine import Session
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import CreditPurchaseRow
from app.errors import DomainError, PaymentDeclined
from app.flows.purchases.recharge import RechargeRequest, recharge
from app.ledger import balances
from app.ledger.balances import Balance
from app.ledger.movements import (
    Key,
    Transaction,
)
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size
from resolvers.payment_rate_limits import limit_recharges, note_decline
from resolvers.payments import flow_context_of, require_payer
from resolvers.return_urls import return_urls
from resolvers.workspaces import require_billing, sees_billing


@dataclass(frozen=True, slots=True)
class RechargeAnswer:
    """A purchase as it stands, with what it led to, and what the caller must be told when it has not succeeded."""

    purchase: CreditPurchaseRow
    balance: Balance
    transaction: Transaction | None
    invoice: InvoiceRow | None
    error: DomainError | None


async def purchase(context: Context, purchase_id: str) -> CreditPurchaseRow | None:
    """A purchase by its id, for those who see the workspace's billing."""
    owner, row_id = global_ids.owned_id(purchase_id, "CreditPurchase")
    await require_billing(context, owner)
    async with context.runtime.database.read() as session:
        return await purchase_store.find(session, owner, row_id)


async def purchase_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[CreditPurchaseRow] | None:
    """A page of the workspace's purchases, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, lambda text: UUID(hex=text)) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await purchase_store.page(session, access.workspace.id, limit=size + 1, before=before)
    return page_of(rows, size, after, lambda row: row.id.hex)


async def recharge_credits(
    context: Context,
    workspace_id: str,
    *,
    pack_code: str | None,
    amount: Decimal | None,
    payment_method_id: str | None,
    success_url: str | None,
    cancel_url: str | None,
    idempotency_key: str,
) -> RechargeAnswer:
    """Buy credits, by pack or by amount, with a card on file or on a page to pay on."""
    require_authenticated(context.caller)
    owner = global_ids.workspace_id(workspace_id)

    async def authorize(session: Session) -> WorkspaceAccess:
        access = await workspace_for(
            session, context.caller, owner, permission=WorkspacePermission.MANAGE_BILLING, lock=True
        )
        await require_payer(session, context.caller)
        return access

    async with context.runtime.database.read() as session:
        await authorize(session)
    urls, card_id = return_urls(context, success_url, cancel_url), _card_of(owner, payment_method_id)
    await limit_recharges(context, owner)
    key = Key.of("rechargeCredits", idempotency_key)
    try:
        actor = actor_of(context.caller)
        request = RechargeRequest(owner, pack_code, amount, card_id, key.value, urls, actor)
        result = await recharge(flow_context_of(context), request, authorize)
    except SpendLimitReached as refusal:
        refusal.path = ("input", "packCode" if amount is None else "amount")
        raise
    bought = result.purchase
    if isinstance(result.error, PaymentDeclined) and not result.is_replay:
        await note_decline(context, owner)
    async with context.runtime.database.read() as session:
        now = (await balances.read(session, [owner]))[owner]
        credited = (await balances.purchase_transactions(session, owner, [bought.id])).get(bought.id)
        invoice = (await invoice_store.of_purchases(session, [(owner, bought.id)])).get((owner, bought.id))
    return RechargeAnswer(bought, now, credited, invoice, result.error)


def _card_of(workspace_id: UUID, payment_method_id: str | None) -> UUID | None:
    if payment_method_id is None:
        return None
    owner, card_id = global_ids.owned_id(payment_method_id, "PaymentMethod")
    # another workspace's card does not exist here: the look-up finds nothing under this owner
    return card_id if owner == workspace_id else UUID(int=0)
