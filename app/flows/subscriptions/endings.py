"""The end of a subscription that was not paid for, or whose workspace is deleted: nothing is charged after it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import structlog

from app.billing.subscriptions import given_plans, subscription_states
from app.billing.subscriptions.billed_lines import mirror_invoice
from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionState
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.subscriptions.checkout import close_checkouts
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_errors import GatewayMissing, GatewayRefused
from app.payments.gateway_values import InvoiceStatus
from app.store import customers as customer_store
from app.store import subscriptions as subscription_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def check_subscription(context: FlowContext, workspace_id: UUID) -> None:
    """What the worker does when something of a subscription falls due: fetch it, and end it where its grace is over.

    Of a plan that was given nothing is at the provider, which is not asked then.

    Raises `GatewayUnavailable`: then it is due again soon.
    """

    async def check(session: Session) -> bool:
        await subscription_states.check_later(session, workspace_id)
        return await given_plans.check_due(session, context.catalog, workspace_id)

    if await transact(context.database, check, step="subscription.check_due"):
        return
    await sync_subscription(context, workspace_id)
    async with context.database.read() as session:
        row = await subscription_store.find(session, workspace_id)
    now = context.database.clock.now()
    if row is None or row.provider_id is None or row.status != SubscriptionState.PAST_DUE:
        return
    if row.grace_ends_at is not None and row.grace_ends_at <= now:
        # mirroring the end has a job call off what is unpaid
        await context.gateway.end_now(row.provider_id)
        await sync_subscription(context, workspace_id)


async def void_unpaid(context: FlowContext, workspace_id: UUID, subscription_id: str) -> None:
    """The job that follows the end of a subscription: call off its drafts and open invoices, so that no later try charges them.

    Safe to run twice. Raises `GatewayUnavailable`.
    """
    for invoice in await context.gateway.subscription_invoices(subscription_id):
        if invoice.status not in (InvoiceStatus.DRAFT, InvoiceStatus.OPEN):
            continue
        try:
            voided = await context.gateway.discard_invoice(invoice.id)
        except GatewayRefused as refused:
            # paid at this moment
            _log.info("unpaid.not_voided", invoice=invoice.id, reason=str(refused))
            continue
        if voided is not None:
            await transact(
                context.database,
                lambda session, voided=voided: mirror_invoice(session, context.catalog, workspace_id, voided),
                step="invoice.mirror",
            )


async def end_subscriptions(context: FlowContext, workspace_ids: Collection[UUID]) -> None:
    """End what these workspaces subscribe to, at once: they are being deleted. Pages to subscribe on are closed first.

    Raises `GatewayUnavailable` and `GatewayRefused`: then nothing may be erased.
    """
    for workspace_id in workspace_ids:
        await close_checkouts(context, workspace_id)
        async with context.database.read() as session:
            customer_ids = await customer_store.all_of(session, workspace_id)
        for customer_id in customer_ids:
            await _end_all_of(context, workspace_id, customer_id)


async def _end_all_of(context: FlowContext, workspace_id: UUID, customer_id: str) -> None:
    try:
        found = await context.gateway.find_subscriptions(customer_id)
    except GatewayMissing:
        # its subscriptions ended with it
        return
    for subscription in found:
        if not subscription.has_ended:
            await context.gateway.end_now(subscription.id)
        await void_unpaid(context, workspace_id, subscription.id)
