"""Closing workspaces at the payment provider, before anything is erased in the database."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final
from uuid import UUID

from app.billing.payments.payment_errors import PaymentPending
from app.db.tables.payments import BillingAccountRow
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow, PurchaseStatus
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import update_customer
from app.flows.purchases.checkout import close_checkout
from app.flows.purchases.payment_outcome import void_and_fail
from app.flows.purchases.reconcile import reconcile_purchase
from app.payments.gateway_errors import GatewayRefused
from app.store import billing_accounts as billing_account_store
from app.store import customers as customer_store
from app.store import purchases as purchase_store

_CLOSED: Final = "The workspace was deleted before this was paid."


async def finish_purchases(context: FlowContext, workspace_ids: Collection[UUID]) -> None:
    """Finish every unfinished purchase of these workspaces, so that nothing can be charged any more.

    Closes hosted pages and voids the invoices of payments that nobody confirmed. Also fetches each customer, so that an unreachable
    provider is noticed before anything is deleted. Raises `PaymentPending` while the outcome of a payment is unknown, and
    `GatewayUnavailable`.
    """
    for workspace_id in workspace_ids:
        async with context.database.read() as session:
            account = await billing_account_store.find(session, workspace_id)
            waiting = await purchase_store.unfinished(session, workspace_id)
        for purchase in waiting:
            if (await _finish(context, purchase)).status in UNFINISHED:
                raise PaymentPending("A payment is under way. Wait until it is through, then try again.")
        if account is not None and account.card_page_id is not None:
            # the provider refuses this for a page that was used or has closed
            with suppress(GatewayRefused):
                await context.gateway.expire_checkout(account.card_page_id)
        await _require_reachable(context, account)


async def require_reachable(context: FlowContext, user_id: UUID, deleted: Collection[UUID]) -> None:
    """Fetch the customers that have the person's address and are not deleted with them; raises `GatewayUnavailable`."""
    async with context.database.read() as session:
        naming = await customer_store.naming(session, user_id, except_for=deleted)
        accounts = [await billing_account_store.find(session, workspace_id) for workspace_id in naming]
    for account in accounts:
        await _require_reachable(context, account)


async def rewrite_customers(context: FlowContext, user_id: UUID, deleted: Collection[UUID]) -> None:
    """Let the customers of workspaces that the person has left carry the address of a present owner instead of theirs.

    `deleted` are the workspaces whose customers are deleted. Raises `GatewayUnavailable` and `GatewayRefused`: then it is to be
    retried.
    """
    async with context.database.read() as session:
        naming = await customer_store.naming(session, user_id, except_for=deleted)
    for workspace_id in naming:
        await update_customer(context, workspace_id)


async def delete_customers(context: FlowContext, workspace_ids: Collection[UUID]) -> None:
    """Delete the customers of these workspaces at the provider; raises `GatewayUnavailable`: then it is to be retried."""
    for workspace_id in workspace_ids:
        async with context.database.read() as session:
            customer_ids = await customer_store.all_of(session, workspace_id)
        for customer_id in customer_ids:
            await context.gateway.delete_customer(customer_id)


async def _require_reachable(context: FlowContext, account: BillingAccountRow | None) -> None:
    if account is not None and account.customer_id is not None:
        with suppress(GatewayRefused):
            await context.gateway.wallet(account.customer_id)


async def _finish(context: FlowContext, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    if purchase.checkout_session_id is not None:
        return await close_checkout(context, purchase, reason=_CLOSED)
    if purchase.status == PurchaseStatus.ACTION_REQUIRED and purchase.invoice_id is not None:
        invoice = await context.gateway.invoice(purchase.invoice_id)
        if invoice is not None:
            return await void_and_fail(context, purchase, invoice)
    return await reconcile_purchase(context, purchase.workspace_id, purchase.id) or purchase
