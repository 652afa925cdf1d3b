"""What goes back of a paid plan if it is ended now, as the provider's own preview and payments tell."""

from __future__ import annotations

from dataclasses import dataclass

from app.billing.moves.unused_time import (
    PaidPart,
    PartToRefund,
    bills_time_after,
    paid_parts,
    parts_to_refund,
    unpaid_minor,
)
from app.flows.flow_context import FlowContext
from app.money import Money
from app.payments.gateway_errors import NothingToBill
from app.payments.subscription_values import ProviderSubscription


@dataclass(frozen=True, slots=True)
class UnusedWorth:
    """What goes back, payment by payment; nothing where nothing was paid by card for the time that is left."""

    currency: str
    parts: tuple[PartToRefund, ...]

    @property
    def total(self) -> Money | None:
        """All of it; None for nothing."""
        minor = sum(part.amount_minor for part in self.parts)
        return Money(minor, self.currency) if minor else None


async def unused_worth(context: FlowContext, subscription: ProviderSubscription) -> UnusedWorth:
    """What goes back of a live subscription if it is ended now, the newest payment first. Nothing is written.

    Raises `GatewayUnavailable` and `GatewayRefused`.
    """
    gateway = context.gateway
    try:
        preview = await gateway.preview_end_now(subscription.id)
    except NothingToBill:
        return UnusedWorth(subscription.currency, ())
    # what waits for the customer's next invoice stays there: given back here too, it would be counted twice
    worth_minor = preview.others_minor - preview.total_minor
    if worth_minor <= 0:
        return UnusedWorth(subscription.currency, ())
    now = context.database.clock.now()
    invoices = [each for each in await gateway.subscription_invoices(subscription.id) if bills_time_after(each, now)]
    awaited = subscription.latest_invoice_id if subscription.pending_update is not None else None
    unpaid = unpaid_minor(invoices, awaited_invoice_id=awaited)
    paid: list[PaidPart] = []
    for each in invoices:
        if each.amount_paid_minor > 0:
            payments = await gateway.payments_of_invoice(each.id)
            otherwise = await gateway.credited_otherwise(each.id) if each.credited_minor else 0
            paid += paid_parts(each.id, payments, credited_otherwise_minor=otherwise)
    return UnusedWorth(subscription.currency, parts_to_refund(worth_minor, unpaid, paid))
