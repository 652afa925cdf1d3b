"""A workspace has one live subscription: a second one, as of two hosted pages paid at once, is ended and paid back."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.billing.subscriptions import owner_notices
from app.billing.subscriptions.goals import CHECKOUT_ID
from app.billing.subscriptions.owner_notices import Notice
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments.gateway_values import InvoiceStatus
from app.payments.subscription_values import ProviderSubscription

_JUST_BEGUN: Final = timedelta(days=2)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def end_second(context: FlowContext, workspace_id: UUID, subscription: ProviderSubscription) -> None:
    """End a second subscription at once, refund what was paid for it, and void what was not.

    One that has run beside the first for longer, and was begun on no page of ours, is left to the seller: who knows what it was
    meant for, and what of it was used? The money goes back before the subscription is ended, so that a crash between the two leaves
    it live, and this is done again. Raises `GatewayUnavailable` and `GatewayRefused`.
    """
    is_ours = CHECKOUT_ID in subscription.metadata
    if not is_ours and subscription.started_at < context.database.clock.now() - _JUST_BEGUN:
        _log.error("subscription.second_left", workspace=str(workspace_id), subscription=subscription.id)
        return
    for invoice in await context.gateway.subscription_invoices(subscription.id):
        if invoice.status is InvoiceStatus.PAID and invoice.amount_paid_minor > 0:
            await _refund(context, workspace_id, invoice.id)
        elif invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.OPEN):
            await context.gateway.discard_invoice(invoice.id)
    await context.gateway.end_now(subscription.id)

    async def record(session: Session) -> None:
        await owner_notices.tell(session, workspace_id, Notice.PAID_TWICE, subscription.id)
        summary = "A second subscription was ended and refunded."
        await audit_log.record(session, workspace_id, SYSTEM, "subscription.second_ended", summary)

    await transact(context.database, record, step="subscription.second_ended")
    _log.warning("subscription.second_ended", workspace=str(workspace_id), subscription=subscription.id)


async def _refund(context: FlowContext, workspace_id: UUID, invoice_id: str) -> None:
    returned = await context.gateway.returned_money(invoice_id)
    if returned is None or returned.left_minor <= 0:
        return
    await context.gateway.refund(
        returned.payment_id,
        amount_minor=returned.left_minor,
        metadata={"workspace_id": str(workspace_id)},
        key=f"second:{invoice_id}",
    )
