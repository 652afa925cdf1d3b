"""The payment provider's events: each is stored once, then processed by fetching what it is about, so order doesn't matter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from app.billing.payments import invoice_mirror
from app.billing.subscriptions.billed_lines import mirror_invoice
from app.db.engine import Database, Session
from app.db.tables.provider import ProviderEventRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import sync_cards
from app.flows.provider.catalog_sync import sync_catalog
from app.flows.provider.customers import correct_customer
from app.flows.provider.portals import sync_portals
from app.flows.provider.tax_details import details_changed, sync_details
from app.flows.purchases.checkout import checkout_changed
from app.flows.purchases.payment_outcome import apply_payment_outcome
from app.flows.purchases.refunds import sync_returned_money
from app.flows.subscriptions.advance import settle_in_flight
from app.flows.subscriptions.checkout import page_changed
from app.flows.subscriptions.sync import subscription_changed
from app.payments.gateway_errors import GatewayUnavailable
from app.payments.gateway_values import InvoiceStatus, ProviderEvent, ProviderInvoice, ReturnedMoneyEvent
from app.store import billing_accounts as billing_account_store
from app.store import provider_events as provider_event_store
from app.store import purchases as purchase_store

TASK = "provider_event"

_RECEIVED_AT_ONCE: Final = 500

_CARD_EVENTS = ("payment_method.", "setup_intent.", "customer.")
_TAX_ID_EVENTS = "customer.tax_id."
_CUSTOMER_UPDATED = "customer.updated"
_CATALOG_EVENTS = ("price.", "product.", "tax_rate.")
_PORTAL_EVENTS = "billing_portal.configuration."
_SUBSCRIPTION_EVENTS = ("customer.subscription.", "subscription_schedule.")

# The events about returned money, and the kind of object that each is about.
RETURNED_MONEY_EVENTS: Final = {
    "charge.dispute.closed": ReturnedMoneyEvent.DISPUTE,
    "charge.dispute.created": ReturnedMoneyEvent.DISPUTE,
    "charge.dispute.funds_reinstated": ReturnedMoneyEvent.DISPUTE,
    "charge.dispute.funds_withdrawn": ReturnedMoneyEvent.DISPUTE,
    "charge.dispute.updated": ReturnedMoneyEvent.DISPUTE,
    "charge.refund.updated": ReturnedMoneyEvent.REFUND,
    "charge.refunded": ReturnedMoneyEvent.CHARGE,
    "refund.failed": ReturnedMoneyEvent.REFUND,
    "refund.updated": ReturnedMoneyEvent.REFUND,
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def receive(database: Database, event: ProviderEvent) -> bool:
    """Store the event and enqueue the job that processes it, in one transaction; False when it was stored before."""
    return await transact(database, lambda session: _receive(session, event), step="event.receive")


async def _receive(session: Session, event: ProviderEvent) -> bool:
    row = ProviderEventRow(
        id=event.id,
        type=event.type,
        object_id=event.object_id,
        customer_id=event.customer_id,
        created_at=event.created_at,
        received_at=session.real_now,
    )
    is_new = await provider_event_store.receive(session, row)
    if is_new:
        session.outbox.enqueue(TASK, {"event_id": event.id})
    return is_new


async def poll(context: FlowContext, event_types: Collection[str]) -> int:
    """Receive the events of these types since the last poll, where no webhook can reach us; returns how many were new."""
    async with context.database.read() as session:
        cursor = await provider_event_store.cursor(session)
    new = 0
    for event in await context.gateway.events_after(cursor):
        is_wanted = event.type in event_types
        new += await transact(
            context.database,
            lambda session, event=event, is_wanted=is_wanted: _receive_and_move_cursor(
                session, event, is_wanted=is_wanted
            ),
            step="event.poll",
        )
    return new


async def _receive_and_move_cursor(session: Session, event: ProviderEvent, *, is_wanted: bool) -> bool:
    is_new = is_wanted and await _receive(session, event)
    await provider_event_store.move_cursor(session, event.id)
    return is_new


async def check_for_returned_money(context: FlowContext, since: datetime) -> int:
    """Process events of refunds and disputes since a time that no webhook delivered or that failed; returns how many there were.

    They come from the provider's list of events, which also has those of old disputes and old refunds that changed since.
    """
    events = await context.gateway.events_since(since, event_types=tuple(RETURNED_MONEY_EVENTS))
    async with context.database.read() as session:
        processed = await provider_event_store.processed(session, [event.id for event in events])
    missed = [event for event in events if event.id not in processed]
    for event in missed:
        try:
            await receive(context.database, event)
            await process(context, event.id)
        except Exception:
            _log.warning("returns.event_failed", event_id=event.id, exc_info=True)
    return len(missed)


async def receive_missed(context: FlowContext, event_types: Sequence[str], *, since: datetime, until: datetime) -> int:
    """Receive the events of these types and of this time that never arrived here; returns how many there were.

    They are lost where the endpoint was deleted, disabled or unreachable, or its secret is wrong. Raises `GatewayUnavailable`.
    """
    events = await context.gateway.events_since(since, event_types=event_types)
    listed = [event for event in events if event.created_at <= until]
    missed = 0
    for start in range(0, len(listed), _RECEIVED_AT_ONCE):
        some = listed[start : start + _RECEIVED_AT_ONCE]
        async with context.database.read() as session:
            known = await provider_event_store.received(session, [event.id for event in some])
        for event in some:
            if event.id not in known:
                missed += await receive(context.database, event)
    if missed:
        _log.warning("provider_event.missed", count=missed)
    return missed


async def process_given_up(context: FlowContext, *, since: datetime, until: datetime) -> int:
    """Process the events that were received in this time and that the queue has given up; returns how many there were.

    The queue tries for some hours only, and the provider may be away, or refuse our key, for longer. Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        event_ids = await provider_event_store.unprocessed(session, since=since, until=until, limit=_RECEIVED_AT_ONCE)
    for event_id in event_ids:
        try:
            await process(context, event_id)
        except GatewayUnavailable:
            raise
        except Exception:
            _log.warning("provider_event.failed", event_id=event_id, exc_info=True)
    return len(event_ids)


async def process(context: FlowContext, event_id: str) -> None:
    """Process a received event. Safe to run twice. Raises `GatewayUnavailable`: then it is to be retried."""
    async with context.database.read() as session:
        event = await provider_event_store.find(session, event_id)
    if event is None or event.processed_at is not None:
        return
    if event.type.startswith("invoice."):
        await _invoice_changed(context, event.object_id)
    elif event.type.startswith("checkout."):
        if not await page_changed(context, event.object_id):
            await checkout_changed(context, event.object_id)
    elif event.type.startswith(_SUBSCRIPTION_EVENTS):
        await _subscription_changed(context, event.customer_id)
    elif event.type.startswith("payment_intent."):
        invoice_id = await context.gateway.invoice_of_payment(event.object_id)
        if invoice_id is not None:
            await _invoice_changed(context, invoice_id)
    elif event.type in RETURNED_MONEY_EVENTS:
        await _money_returned(context, RETURNED_MONEY_EVENTS[event.type], event.object_id)
    elif event.type.startswith(_TAX_ID_EVENTS):
        await _tax_id_changed(context, event.customer_id)
    elif event.type.startswith(_CARD_EVENTS):
        await _cards_changed(context, event)
    elif event.type.startswith(_CATALOG_EVENTS):
        await _catalog_changed(context, event.object_id)
    elif event.type.startswith(_PORTAL_EVENTS):
        await _portal_changed(context, event.object_id)
    await transact(
        context.database, lambda session: provider_event_store.mark_processed(session, event_id), step="event.processed"
    )


async def _invoice_changed(context: FlowContext, invoice_id: str) -> None:
    invoice = await context.gateway.invoice(invoice_id)
    if invoice is None:
        return
    async with context.database.read() as session:
        account = await billing_account_store.of_customer(session, invoice.customer_id)
        purchase = await purchase_store.of_invoice(session, invoice.id)
        if purchase is None and account is not None and invoice.purchase_id is not None:
            purchase = await purchase_store.find(session, account.workspace_id, UUID(invoice.purchase_id))
    if purchase is not None and (purchase.pay_sent_at is not None or invoice.status is InvoiceStatus.PAID):
        await apply_payment_outcome(context, purchase, invoice)
    if account is not None:
        await _drop_cards_saved_again(context, account.workspace_id)
    if account is not None and invoice_mirror.is_shown(invoice):
        await _mirror(context, account.workspace_id, invoice)


async def _subscription_changed(context: FlowContext, customer_id: str | None) -> None:
    """Mirror the customer's subscription, and bring a change to its end that waited for its payment."""
    workspace_id = await subscription_changed(context, customer_id)
    if workspace_id is not None:
        await settle_in_flight(context, workspace_id)


async def _drop_cards_saved_again(context: FlowContext, workspace_id: UUID) -> None:
    """Sync the cards where one was kept beside the same one, saved again, only because a charge was under way with it."""
    async with context.database.read() as session:
        is_twice = await billing_account_store.has_card_twice(session, workspace_id)
    if is_twice:
        await sync_cards(context, workspace_id)


async def _catalog_changed(context: FlowContext, object_id: str) -> None:
    """Bring back what someone changed at the provider; the account may sell other things too, which are left alone."""
    async with context.database.read() as session:
        is_ours = await provider_event_store.is_of_catalog(session, object_id)
    if is_ours:
        await sync_catalog(context)


async def _portal_changed(context: FlowContext, object_id: str) -> None:
    """Bring back what someone changed in a configuration that is ours."""
    async with context.database.read() as session:
        is_ours = await provider_event_store.is_of_catalog(session, object_id)
    if is_ours:
        await sync_portals(context)


async def _money_returned(context: FlowContext, report: ReturnedMoneyEvent, object_id: str) -> None:
    payment_id = await context.gateway.returned_payment(report, object_id)
    invoice_id = await context.gateway.invoice_of_payment(payment_id) if payment_id is not None else None
    if invoice_id is not None:
        # The event that it was paid may not have been processed yet.
        await _invoice_changed(context, invoice_id)
        await sync_returned_money(context, invoice_id)


async def _mirror(context: FlowContext, workspace_id: UUID, invoice: ProviderInvoice) -> None:
    await transact(
        context.database,
        lambda session: mirror_invoice(session, context.catalog, workspace_id, invoice),
        step="invoice.mirror",
    )


async def _cards_changed(context: FlowContext, event: ProviderEventRow) -> None:
    if event.customer_id is None:
        # A detached card no longer names its customer; the mirrored card has the workspace.
        async with context.database.read() as session:
            card = await billing_account_store.card_with_provider_id(session, event.object_id)
        workspace_id = card.workspace_id if card is not None else None
    else:
        async with context.database.read() as session:
            account = await billing_account_store.of_customer(session, event.customer_id)
        workspace_id = account.workspace_id if account is not None else None
    if workspace_id is not None:
        await sync_cards(context, workspace_id)
    if workspace_id is not None and event.type == _CUSTOMER_UPDATED:
        await correct_customer(context, workspace_id, event.object_id)
        await details_changed(context, workspace_id, event.object_id)


async def _tax_id_changed(context: FlowContext, customer_id: str | None) -> None:
    """Compare the billing details of the customer whose tax id was added, verified or deleted."""
    async with context.database.read() as session:
        account = await billing_account_store.of_customer(session, customer_id) if customer_id is not None else None
    if account is not None and account.customer_id == customer_id:
        await sync_details(context, account.workspace_id)
