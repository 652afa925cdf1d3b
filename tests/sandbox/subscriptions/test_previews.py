"""Previews of invoices: what would be billed, with nothing written."""

from __future__ import annotations

from typing import Any

import httpx
import stripe

from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import Refusal, refusal
from tests.sandbox.subscriptions.subscribing import (
    latest_invoice,
    new_price,
    only_item,
    subscribe,
    to_renewal,
    use_card,
    with_quantity,
)


async def test_a_preview_shows_what_the_change_then_bills_and_writes_nothing(client: stripe.StripeClient) -> None:
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    subscription = await subscribe(client, 1210, default_tax_rates=[rate.id])
    item = only_item(subscription)
    at = item.current_period_start + 12345
    before = (await client.v1.events.list_async({"limit": 1})).data[0].id
    items: Any = [{"id": item.id, "quantity": 7}]

    preview = await client.v1.invoices.create_preview_async(
        {
            "customer": str(subscription.customer),
            "subscription": subscription.id,
            "subscription_details": {
                "items": items,
                "proration_behavior": "always_invoice",
                "proration_date": at,
            },
        }
    )

    assert (await client.v1.events.list_async({"limit": 1})).data[0].id == before
    unchanged = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert unchanged.to_dict() == subscription.to_dict()
    assert (preview.id or "").startswith("upcoming_in")
    assert (preview.status, preview.number, preview.billing_reason) == ("draft", None, "upcoming")
    await client.v1.subscriptions.update_async(
        subscription.id, {"items": items, "proration_behavior": "always_invoice", "proration_date": at}
    )
    billed = await latest_invoice(client, subscription)
    assert [(line.amount, line.description) for line in preview.lines.data] == [
        (line.amount, line.description) for line in billed.lines.data
    ]
    assert (preview.total, preview.amount_due) == (billed.total, billed.amount_paid)


async def test_the_next_invoice_shows_what_waits_the_renewal_and_the_balance(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await with_quantity(client, subscription, 2)
    await client.v1.customers.update_async(str(subscription.customer), {"balance": -300})

    preview = await client.v1.invoices.create_preview_async({"subscription": subscription.id})

    assert preview.lines.data[-1].amount == 2000
    assert [
        line.parent.subscription_item_details.proration
        for line in preview.lines.data
        if line.parent and line.parent.subscription_item_details
    ] == [True, True, False]
    assert preview.starting_balance == -300
    assert preview.amount_due == preview.total - 300
    assert preview.next_payment_attempt == only_item(subscription).current_period_end + 3600


async def test_the_next_invoice_shows_the_phase_that_begins_with_it(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client, quantity=3)
    schedule = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    [phase] = schedule.phases
    price = only_item(subscription).price.id
    await client.v1.subscription_schedules.update_async(
        schedule.id,
        {
            "phases": [
                {
                    "items": [{"price": price, "quantity": 3}],
                    "start_date": phase.start_date,
                    "end_date": phase.end_date,
                },
                {
                    "items": [{"price": price, "quantity": 1}],
                    "duration": {"interval": "month"},
                    "proration_behavior": "none",
                },
            ]
        },
    )
    preview = await client.v1.invoices.create_preview_async({"subscription": subscription.id})
    await to_renewal(web, subscription)
    assert preview.total == (await latest_invoice(client, subscription)).total == 1000


async def test_a_cancelation_is_previewed_with_what_it_would_credit(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    preview = await client.v1.invoices.create_preview_async(
        {
            "subscription": subscription.id,
            "subscription_details": {"cancel_now": True, "proration_behavior": "always_invoice"},
        }
    )
    assert -1000 <= preview.total < -990
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "active"


async def test_a_new_subscription_is_previewed_with_the_details_of_its_customer(client: stripe.StripeClient) -> None:
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    customer = await new_customer(client)
    items: Any = [{"price": await new_price(client, 1210), "quantity": 2}]
    details: Any = {"items": items, "default_tax_rates": [rate.id]}
    taxed = await client.v1.invoices.create_preview_async({"customer": customer.id, "subscription_details": details})
    exempt = await client.v1.invoices.create_preview_async(
        {
            "customer": customer.id,
            "customer_details": {"tax_exempt": "reverse"},
            "subscription_details": details,
        }
    )
    assert (taxed.total, exempt.total) == (2420, 2000)
    unknown = await client.v1.invoices.create_preview_async(
        {"customer_details": {"address": {"country": "DE"}}, "subscription_details": details}
    )
    assert unknown.total == 2420
    assert (await client.v1.customers.retrieve_async(customer.id)).tax_exempt == "none"
    assert (await client.v1.subscriptions.list_async({"customer": customer.id, "status": "all"})).data == []


async def test_there_is_no_next_invoice_where_the_subscription_ends(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await client.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    refused = await refusal(client.v1.invoices.create_preview_async({"subscription": subscription.id}))
    assert refused == Refusal(404, "invoice_upcoming_none", None)


async def test_a_change_is_previewed_though_the_card_would_be_declined(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    items: Any = [{"id": only_item(subscription).id, "quantity": 2}]
    preview = await client.v1.invoices.create_preview_async(
        {
            "subscription": subscription.id,
            "subscription_details": {"items": items, "proration_behavior": "always_invoice"},
        }
    )
    assert preview.total > 0
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "active"


async def test_what_recurs_is_each_item_for_its_next_full_period_with_tax_and_lasting_discounts(
    client: stripe.StripeClient,
) -> None:
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    lasting = await client.v1.coupons.create_async({"percent_off": 10, "duration": "forever"})
    once = await client.v1.coupons.create_async({"percent_off": 50, "duration": "once"})
    subscription = await subscribe(client, 1210, quantity=2, default_tax_rates=[rate.id])
    item = only_item(subscription)
    await with_quantity(client, subscription, 3)
    await client.v1.subscriptions.update_async(
        subscription.id, {"discounts": [{"coupon": lasting.id}, {"coupon": once.id}]}
    )

    preview = await client.v1.invoices.create_preview_async(
        {"subscription": subscription.id, "preview_mode": "recurring"}
    )

    [line] = preview.lines.data
    assert (line.amount, line.quantity, line.period.start) == (3630, 3, item.current_period_end)
    assert (preview.total, (preview.total_taxes or [])[0].amount) == (3267, 567)


async def test_what_recurs_counts_a_trial_and_an_end_for_nothing(client: stripe.StripeClient) -> None:
    on_trial = await subscribe(client, 1000, trial_period_days=14)
    ending = await subscribe(client, 1000)
    await client.v1.subscriptions.update_async(
        ending.id, {"cancel_at": only_item(ending).current_period_start + 86400, "proration_behavior": "none"}
    )
    for subscription in (on_trial, ending):
        preview = await client.v1.invoices.create_preview_async(
            {"subscription": subscription.id, "preview_mode": "recurring"}
        )
        assert preview.total == 1000


async def test_what_recurs_is_previewed_with_other_items_and_of_a_subscription_that_does_not_exist(
    client: stripe.StripeClient,
) -> None:
    subscription = await subscribe(client)
    yearly = await new_price(client, 10000, "year")
    items: Any = [{"id": only_item(subscription).id, "price": yearly, "quantity": 2}]
    changed = await client.v1.invoices.create_preview_async(
        {
            "subscription": subscription.id,
            "subscription_details": {"items": items},
            "preview_mode": "recurring",
        }
    )
    new = await client.v1.invoices.create_preview_async(
        {
            "customer_details": {"tax_exempt": "none"},
            "subscription_details": {"items": [{"price": yearly}]},
            "preview_mode": "recurring",
        }
    )
    assert (changed.total, new.total) == (20000, 10000)
    assert [line.quantity for line in changed.lines.data] == [2]
    unchanged = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert unchanged.to_dict() == subscription.to_dict()
