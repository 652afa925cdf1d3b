"""Whether something of a subscription is still to be paid, before anything of it is changed."""

from __future__ import annotations

from app.flows.flow_context import FlowContext
from app.payments.gateway_values import InvoiceStatus, ProviderInvoice
from app.payments.subscription_values import ProviderSubscription, SubscriptionStatus


async def oldest_unpaid(context: FlowContext, subscription: ProviderSubscription) -> ProviderInvoice | None:
    """The oldest invoice that is a draft or open, as it stands now; no change of items waits for its payment.

    Of a subscription that is overdue the newest may be another, called off. Raises `GatewayUnavailable`.
    """
    invoices: list[ProviderInvoice] = []
    if subscription.status in (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID):
        invoices += reversed(await context.gateway.subscription_invoices(subscription.id))
    elif subscription.latest_invoice_id is not None:
        newest = await context.gateway.invoice(subscription.latest_invoice_id)
        invoices += [newest] if newest is not None else []
    return next((each for each in invoices if each.status in (InvoiceStatus.DRAFT, InvoiceStatus.OPEN)), None)
