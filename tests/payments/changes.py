"""What these tests ask of subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import stripe

from app.payments.gateway import Gateway
from app.payments.subscription_values import ChangeBilling, ItemChange, ProviderSubscription, SubscriptionChange
from tests.sandbox.subscriptions.subscribing import subscribe


def new_key() -> str:
    """An idempotency key that nobody used."""
    return uuid4().hex


async def subscribed(
    gateway: Gateway, client: stripe.StripeClient, *, quantity: int = 1, tax_rate: str | None = None
) -> ProviderSubscription:
    """A new subscription at 10.00 EUR a month each, of a new customer whose card can be charged."""
    rates = [tax_rate] if tax_rate is not None else []
    return await gateway.subscription((await subscribe(client, 1000, quantity=quantity, default_tax_rates=rates)).id)


def to_quantity(
    subscription: ProviderSubscription,
    quantity: int,
    *,
    billing: ChangeBilling = ChangeBilling.AT_ONCE,
    prorated_at: datetime | None = None,
) -> SubscriptionChange:
    """Another quantity of the only item."""
    [item] = subscription.items
    return SubscriptionChange((ItemChange(item.id, item.price_id, quantity),), billing, prorated_at)


def half_way(subscription: ProviderSubscription) -> datetime:
    """A second about in the middle of the present period."""
    [item] = subscription.items
    return item.period_start + timedelta(seconds=(item.period_end - item.period_start).total_seconds() // 2 + 1)


def in_an_hour(now: datetime) -> datetime:
    """When a page that was opened now should close."""
    return now.astimezone(UTC) + timedelta(hours=1)


async def new_tax_rate(client: stripe.StripeClient, percent: int = 21, *, inclusive: bool = True) -> str:
    """The id of a new tax rate."""
    made = await client.v1.tax_rates.create_async(
        {"display_name": "VAT", "inclusive": inclusive, "percentage": percent}
    )
    return made.id
