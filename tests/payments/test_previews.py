"""Previews through the gateway: they show what is then charged, line by line, and write nothing."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayRefused
from app.payments.subscription_values import ItemChange, PricedQuantity
from tests.payments.changes import half_way, new_key, new_tax_rate, subscribed, to_quantity
from tests.sandbox.factories import customer_with_card
from tests.sandbox.subscriptions.subscribing import new_price


async def _newest_event(client: stripe.StripeClient) -> str:
    return (await client.v1.events.list_async({"limit": 1})).data[0].id


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("quantity", [2, 7])
async def test_a_change_charges_what_its_preview_showed(
    gateway: Gateway, client: stripe.StripeClient, inclusive: bool, quantity: int
) -> None:
    rate = await new_tax_rate(client, inclusive=inclusive)
    subscription = await subscribed(gateway, client, tax_rate=rate)
    await client.v1.customers.update_async(subscription.customer_id, {"balance": -123})
    change = to_quantity(subscription, quantity, prorated_at=half_way(subscription))
    before = await _newest_event(client)

    preview = await gateway.preview_change(subscription.id, change)

    assert await _newest_event(client) == before
    assert await gateway.subscription(subscription.id) == subscription
    changed = await gateway.change_subscription(subscription.id, change, metadata={}, key=new_key())
    billed = await gateway.invoice(str(changed.latest_invoice_id))
    assert billed is not None
    assert preview.lines == billed.lines
    assert preview.tax_lines == billed.tax_lines
    assert [(line.name, line.percent) for line in preview.tax_lines] == [("VAT", 21)]
    assert (preview.subtotal_minor, preview.tax_minor, preview.total_minor, preview.currency) == (
        billed.subtotal_minor,
        billed.tax_minor,
        billed.total_minor,
        billed.currency,
    )
    assert preview.credit_applied_minor == billed.credit_applied_minor == 123
    assert preview.due_minor == billed.amount_paid_minor == preview.total_minor - 123


async def test_the_first_invoice_is_previewed_before_there_is_a_subscription(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    rate = await new_tax_rate(client, inclusive=False)
    price = await new_price(client, 1234)

    preview = await gateway.preview_start(customer.id, [PricedQuantity(price, 3)], tax_rate_ids=[rate])
    untaxed = await gateway.preview_start(customer.id, [PricedQuantity(price, 3)], tax_rate_ids=[])
    unknown = await gateway.preview_start(None, [PricedQuantity(price, 3)], tax_rate_ids=[rate])

    assert (preview.subtotal_minor, preview.tax_minor, preview.due_minor) == (3702, 777, 4479)
    assert (untaxed.total_minor, untaxed.tax_lines) == (3702, ())
    assert (unknown.total_minor, unknown.due_minor) == (4479, 4479)
    assert await gateway.find_subscriptions(customer.id) == []
    made = await client.v1.subscriptions.create_async(
        {"customer": customer.id, "items": [{"price": price, "quantity": 3}], "default_tax_rates": [rate]}
    )
    billed = await gateway.invoice(str(made.latest_invoice))
    assert billed is not None
    assert billed.amount_paid_minor == preview.due_minor


async def test_the_next_bill_has_the_renewal_and_its_time_and_none_comes_after_an_end(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client, quantity=2)

    preview = await gateway.preview_next(subscription.id)

    assert (preview.due_minor, preview.credit_applied_minor) == (2000, 0)
    assert [line.is_proration for line in preview.lines] == [False]
    assert preview.lines[0].period_start == subscription.items[0].period_end
    assert preview.charged_at is not None
    assert preview.charged_at >= subscription.items[0].period_end
    await gateway.end_with_period(subscription.id, key=new_key())
    with pytest.raises(GatewayRefused):
        await gateway.preview_next(subscription.id)


async def test_what_recurs_is_previewed_as_it_is_or_after_a_change_and_without_what_is_billed_once(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    rate = await new_tax_rate(client, inclusive=False)
    subscription = await subscribed(gateway, client, quantity=2, tax_rate=rate)
    [item] = subscription.items
    await client.v1.subscriptions.update_async(subscription.id, {"items": [{"id": item.id, "quantity": 3}]})

    now = await gateway.preview_recurring(subscription.id, [])
    more = await gateway.preview_recurring(
        subscription.id,
        [ItemChange(item.id, item.price_id, 5), ItemChange(None, await new_price(client, 700), 1)],
    )

    assert [line.is_proration for line in now.lines] == [False]
    assert (now.subtotal_minor, now.tax_minor, now.total_minor) == (3000, 630, 3630)
    assert (more.subtotal_minor, more.tax_minor, more.total_minor) == (5700, 1197, 6897)
    assert [each.quantity for each in (await gateway.subscription(subscription.id)).items] == [3]
    await gateway.end_now(subscription.id)
    with pytest.raises(GatewayRefused):
        await gateway.preview_recurring(subscription.id, [])


async def test_a_preview_tells_as_many_lines_as_stripe_does(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)
    for amount in range(1, 13):
        params: Any = {"customer": subscription.customer_id, "amount": amount, "currency": "eur"}
        await client.v1.invoice_items.create_async(params)

    preview = await gateway.preview_next(subscription.id)

    assert preview.total_minor == 1000 + sum(range(1, 13))
    assert len(preview.lines) == 10


async def test_ending_now_is_previewed_as_what_it_would_credit(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)

    preview = await gateway.preview_end_now(subscription.id)

    assert -1000 <= preview.total_minor < -990
    assert (preview.due_minor, preview.credit_applied_minor) == (0, 0)
    assert not (await gateway.subscription(subscription.id)).has_ended


async def test_a_moment_outside_the_period_is_refused(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)
    late = to_quantity(subscription, 2, prorated_at=subscription.items[0].period_end.replace(year=2099))

    with pytest.raises(GatewayRefused):
        await gateway.preview_change(subscription.id, late)
    with pytest.raises(GatewayRefused):
        await gateway.change_subscription(subscription.id, late, metadata={}, key=new_key())
