"""The card that a subscription is charged to: the workspace's default, wherever it was chosen."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import structlog

from app.billing.subscriptions import owner_notices
from app.billing.subscriptions.goals import Snapshot
from app.billing.subscriptions.owner_notices import Notice
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import sync_cards
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import InvoiceStatus
from app.payments.subscription_values import SubscriptionStatus
from app.store import billing_accounts as billing_account_store
from app.store import subscription_checkouts as subscription_checkout_store

_UNPAID = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def adopt_card_of_checkout(context: FlowContext, workspace_id: UUID, snapshot: Snapshot) -> None:
    """Make the card that a subscription was begun with the workspace's default. Raises `GatewayUnavailable`."""
    subscription = snapshot.subscription
    if subscription.default_card_id is not None:
        # the provider refuses this where the card was removed a moment ago
        with suppress(GatewayRefused):
            await context.gateway.set_default_card(subscription.customer_id, subscription.default_card_id)
    await sync_cards(context, workspace_id)


async def apply_default_card(context: FlowContext, workspace_id: UUID) -> None:
    """The job that follows a change of the default card: charge the subscription to it, and pay with it what is overdue.

    Where no card is left under a subscription that goes on, its owners are told. Safe to run twice. Raises `GatewayUnavailable`.
    """
    snapshot = await sync_subscription(context, workspace_id)
    async with context.database.read() as session:
        cards = await billing_account_store.cards(session, workspace_id)
        is_settling = await subscription_checkout_store.unsettled(session, workspace_id)
    if snapshot is None or is_settling:
        # a page that was just used decides which card is the default
        return
    if not cards:
        if snapshot.subscription.ends_at is None:
            await _tell_that_no_card_is_left(context, workspace_id, snapshot)
        return
    card_id = cards[0].provider_id
    if snapshot.subscription.default_card_id not in (None, card_id):
        await context.gateway.set_subscription_card(snapshot.subscription.id, card_id)
    if snapshot.subscription.status in _UNPAID:
        await _pay_overdue(context, snapshot, card_id)
        await sync_subscription(context, workspace_id)


async def _pay_overdue(context: FlowContext, snapshot: Snapshot, card_id: str) -> None:
    """Pay what is overdue, the oldest first. A decline leaves it overdue, and is told by the provider's event."""
    invoices = await context.gateway.subscription_invoices(snapshot.subscription.id)
    for invoice in reversed(invoices):
        if invoice.status is InvoiceStatus.OPEN:
            try:
                # the holder has just chosen this card, but may not be there any more
                await context.gateway.pay_invoice(
                    invoice.id, card_id=card_id, off_session=True, key=f"overdue:{invoice.id}:{card_id}"
                )
            except GatewayRefused as refused:
                _log.info("overdue.refused", invoice=invoice.id, reason=str(refused))


async def _tell_that_no_card_is_left(context: FlowContext, workspace_id: UUID, snapshot: Snapshot) -> None:
    async def work(session: Session) -> None:
        account = await billing_account_store.lock(session, workspace_id)
        # told once for each time that the last card goes
        reason = f"{snapshot.subscription.id}:{account.cards_version}"
        await owner_notices.tell(session, workspace_id, Notice.LAST_CARD_GONE, reason)

    await transact(context.database, work, step="subscription.no_card")
