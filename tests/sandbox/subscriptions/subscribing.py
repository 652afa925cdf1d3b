"""What tests of subscriptions need: prices, subscribers, a clock that is moved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import stripe

from tests.sandbox.factories import customer_with_card

HOUR = 3600
DAY = 86400


async def new_price(client: stripe.StripeClient, amount: int = 1000, every: str = "month", **given: Any) -> str:
    """Return the identifier of a new recurring price in EUR."""
    product = await client.v1.products.create_async({"name": "Team"})
    params: Any = {"currency": "eur", "unit_amount": amount, "product": product.id, "recurring": {"interval": every}}
    return (await client.v1.prices.create_async(params | given)).id


async def subscribe(
    client: stripe.StripeClient, amount: int = 1000, *, card: str = "pm_card_visa", quantity: int = 1, **given: Any
) -> stripe.Subscription:
    """Return a new subscription to a monthly price of a new customer with a card."""
    customer, _ = await customer_with_card(client, card)
    params: Any = {
        "customer": customer.id,
        "billing_mode": {"type": "flexible"},
        "items": [{"price": await new_price(client, amount), "quantity": quantity}],
    }
    return await client.v1.subscriptions.create_async(params | given)


def only_item(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    """Return the item of a subscription that has one."""
    [item] = subscription["items"].data
    return item


async def with_quantity(
    client: stripe.StripeClient, subscription: stripe.Subscription, quantity: int, **given: Any
) -> stripe.Subscription:
    """Change the quantity of a subscription's only item."""
    params: Any = {"items": [{"id": only_item(subscription).id, "quantity": quantity}]}
    return await client.v1.subscriptions.update_async(subscription.id, params | given)


async def use_card(client: stripe.StripeClient, subscription: stripe.Subscription, card: str) -> str:
    """Make another test card the default of the subscription's customer."""
    customer = str(subscription.customer)
    method = await client.v1.payment_methods.attach_async(card, {"customer": customer})
    await client.v1.customers.update_async(customer, {"invoice_settings": {"default_payment_method": method.id}})
    return method.id


async def latest_invoice(client: stripe.StripeClient, subscription: stripe.Subscription) -> stripe.Invoice:
    """Return the latest invoice of a subscription, as both are now."""
    now = await client.v1.subscriptions.retrieve_async(subscription.id)
    return await client.v1.invoices.retrieve_async(str(now.latest_invoice), {"expand": ["payments"]})


async def move_to(web: httpx.AsyncClient, at: int) -> None:
    """Move the sandbox's clock ahead."""
    moved = await web.post("/_sandbox/clock", json={"now": datetime.fromtimestamp(at, UTC).isoformat()})
    assert moved.status_code == 200, moved.text


async def move_by(web: httpx.AsyncClient, seconds: int) -> None:
    """Let the sandbox's time pass."""
    moved = await web.post("/_sandbox/clock", json={"advance_seconds": seconds})
    assert moved.status_code == 200, moved.text


async def to_renewal(web: httpx.AsyncClient, subscription: stripe.Subscription, later: int = 2 * HOUR) -> None:
    """Move the clock to some seconds after the end of the subscription's current period."""
    await move_to(web, only_item(subscription).current_period_end + later)
