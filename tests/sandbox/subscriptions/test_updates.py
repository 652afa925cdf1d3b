"""Changes of subscriptions: prorated, billed at once or later, waiting for their payment, or refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.refusals import Refusal, refusal
from tests.sandbox.subscriptions.subscribing import (
    DAY,
    HOUR,
    latest_invoice,
    move_by,
    move_to,
    new_price,
    only_item,
    subscribe,
    to_renewal,
    use_card,
    with_quantity,
)

PENDING: Any = {"proration_behavior": "always_invoice", "payment_behavior": "pending_if_incomplete"}


async def test_a_change_billed_at_once_credits_the_old_and_charges_the_new(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client, 1000)
    halfway = (only_item(subscription).current_period_start + only_item(subscription).current_period_end) // 2
    await with_quantity(client, subscription, 3, proration_behavior="always_invoice", proration_date=halfway)

    invoice = await latest_invoice(client, subscription)
    assert (invoice.status, invoice.total, invoice.billing_reason) == ("paid", 1000, "subscription_update")
    debit, credit = invoice.lines.data
    assert (debit.amount, credit.amount) == (1500, -500)
    assert credit.parent is not None
    details = credit.parent.subscription_item_details
    assert details is not None
    assert details.proration_details is not None
    credited = details.proration_details.credited_items
    assert credited is not None
    assert credited.invoice == subscription.latest_invoice
    assert credit.pricing is not None
    assert credit.pricing.unit_amount_decimal is None


async def test_several_changes_credit_each_charge_by_itself(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client, 1000)
    item = only_item(subscription)
    third = item.current_period_start + (item.current_period_end - item.current_period_start) // 3
    half = (item.current_period_start + item.current_period_end) // 2
    await with_quantity(client, subscription, 2, proration_behavior="always_invoice", proration_date=third)
    await with_quantity(client, subscription, 1, proration_behavior="always_invoice", proration_date=half)

    invoice = await latest_invoice(client, subscription)
    # half of the month is left: 500 a unit; the two units were charged together for two thirds of it
    assert [line.amount for line in invoice.lines.data] == [500, -1000]
    assert (await client.v1.customers.retrieve_async(str(subscription.customer))).balance == -500


async def test_a_price_changed_without_a_quantity_is_taken_once(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client, quantity=5)
    changed = await client.v1.subscriptions.update_async(
        subscription.id, {"items": [{"id": only_item(subscription).id, "price": await new_price(client, 2000)}]}
    )
    assert only_item(changed).quantity == 1


async def test_an_update_whose_payment_waits_is_made_once_it_is_paid(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_authenticationRequired")

    waiting = await with_quantity(client, subscription, 3, metadata={"plan": "team"}, **PENDING)

    assert (waiting.status, only_item(waiting).quantity, waiting.metadata.to_dict()) == ("active", 1, {})
    assert waiting.pending_update is not None
    assert waiting.pending_update.subscription_items is not None
    assert waiting.pending_update.subscription_items[0].quantity == 3
    assert waiting.latest_invoice != subscription.latest_invoice
    secret = await client.v1.invoices.retrieve_async(str(waiting.latest_invoice), {"expand": ["confirmation_secret"]})
    assert secret.confirmation_secret is not None

    other = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": str(subscription.customer)})
    await client.v1.invoices.pay_async(str(waiting.latest_invoice), {"payment_method": other.id})

    made = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (only_item(made).quantity, made.pending_update, made.metadata.to_dict()) == (3, None, {"plan": "team"})
    assert "customer.subscription.pending_update_applied" in await event_types(client, subscription.id)


async def test_an_update_that_waits_is_confirmed_by_its_holder(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_authenticationRequired")
    waiting = await with_quantity(client, subscription, 3, **PENDING)
    invoice = await client.v1.invoices.retrieve_async(
        str(waiting.latest_invoice), {"expand": ["payments.data.payment.payment_intent"]}
    )
    assert invoice.payments is not None
    intent: Any = invoice.payments.data[0].payment.payment_intent
    await web.post(intent.next_action.redirect_to_url.url, data={"outcome": "complete"})

    assert only_item(await client.v1.subscriptions.retrieve_async(subscription.id)).quantity == 3


async def test_an_update_paid_at_once_is_made_at_once(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    made = await with_quantity(client, subscription, 2, **PENDING)
    assert (only_item(made).quantity, made.pending_update) == (2, None)
    assert (await latest_invoice(client, subscription)).status == "paid"


async def test_an_update_that_waits_lapses_at_the_end_of_the_period(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client, 90000)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    end = only_item(subscription).current_period_end
    await move_to(web, end - 2 * HOUR)
    waiting = await with_quantity(client, subscription, 3, **PENDING)
    assert waiting.pending_update is not None
    assert waiting.pending_update.expires_at == end
    await move_to(web, end + HOUR // 2)

    now = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (only_item(now).quantity, now.pending_update, now.status) == (1, None, "active")
    assert (await client.v1.invoices.retrieve_async(str(waiting.latest_invoice))).status == "void"
    renewal = await latest_invoice(client, subscription)
    assert [line.amount for line in renewal.lines.data] == [90000]


async def test_another_update_replaces_one_that_waits(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    waiting = await with_quantity(client, subscription, 3, **PENDING)
    await use_card(client, subscription, "pm_card_visa")
    made = await with_quantity(client, subscription, 2, **PENDING)

    assert (only_item(made).quantity, made.pending_update) == (2, None)
    assert (await client.v1.invoices.retrieve_async(str(waiting.latest_invoice))).status == "void"


async def test_an_update_that_must_be_paid_at_once_changes_nothing_without(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_authenticationRequired")
    refused = await refusal(
        with_quantity(
            client,
            subscription,
            3,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )
    )
    assert refused.status == 402
    now = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (only_item(now).quantity, now.latest_invoice) == (1, subscription.latest_invoice)


async def test_an_update_that_may_stay_unpaid_makes_the_subscription_past_due(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    changed = await with_quantity(client, subscription, 3, proration_behavior="always_invoice")
    assert (only_item(changed).quantity, changed.status) == (3, "past_due")


async def test_the_anchor_moved_to_now_bills_a_whole_period(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await move_by(web, 10 * DAY)
    moved = await client.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": [{"id": only_item(subscription).id, "price": await new_price(client, 10000, "year")}],
            "billing_cycle_anchor": {"type": "now"},
            "proration_behavior": "always_invoice",
        },
    )
    invoice = await latest_invoice(client, subscription)
    year, credit = invoice.lines.data if invoice.lines.data[0].amount > 0 else reversed(invoice.lines.data)
    assert (year.amount, year.period.start) == (10000, moved.billing_cycle_anchor)
    assert -700 < credit.amount < -600
    assert invoice.period_start == invoice.period_end == moved.billing_cycle_anchor


async def test_an_anchor_moved_in_the_second_of_the_start_adds_no_days(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    for _ in range(2):
        await client.v1.subscriptions.update_async(subscription.id, {"billing_cycle_anchor": {"type": "now"}})
    changed = await with_quantity(client, subscription, 2, proration_behavior="always_invoice")
    assert (only_item(changed).quantity, changed.status) == (2, "active")


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        ({"payment_behavior": "pending_if_incomplete"}, Refusal(400, None, "payment_behavior")),
        ({**PENDING, "cancel_at_period_end": True}, Refusal(400, None, "cancel_at_period_end")),
        ({"proration_date": 1000, "items": [{"quantity": 2}]}, Refusal(400, None, "proration_date")),
        ({"items": [{"id": "si_other", "quantity": 2}]}, Refusal(400, "resource_missing", "items[0][id]")),
        ({"items": [{"deleted": True}]}, Refusal(400, None, "items")),
        ({"billing_cycle_anchor": {"type": "yearly"}}, Refusal(400, None, "billing_cycle_anchor[type]")),
        ({"cancel_at": 1000}, Refusal(400, None, "cancel_at")),
        ({"transfer_data": ""}, Refusal(400, None, "transfer_data")),
    ],
)
async def test_what_cant_be_changed_is_refused(
    client: stripe.StripeClient, params: dict[str, Any], refused: Refusal
) -> None:
    subscription = await subscribe(client)
    given: Any = dict(params)
    if "items" in given:
        given["items"] = [{"id": only_item(subscription).id, **item} for item in given["items"]]
    assert await refusal(client.v1.subscriptions.update_async(subscription.id, given)) == refused


async def test_an_item_is_taxed_by_its_own_rates_and_a_credit_by_those_of_its_charge(
    client: stripe.StripeClient,
) -> None:
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    subscription = await subscribe(client, 1210, default_tax_rates=[rate.id])
    end = only_item(subscription).current_period_end
    half = (only_item(subscription).current_period_start + end) // 2
    customer = str(subscription.customer)
    await client.v1.customers.update_async(customer, {"tax_exempt": "reverse"})
    await with_quantity(client, subscription, 2, proration_behavior="always_invoice", proration_date=half)

    invoice = await latest_invoice(client, subscription)
    debit, credit = invoice.lines.data
    assert (debit.amount, [tax.amount for tax in debit.taxes or ()]) == (1210, [0])
    assert (credit.amount, [tax.amount for tax in credit.taxes or ()]) == (-605, [-105])
    # the new charge without its tax, less what had been paid with it
    assert invoice.total == 1000 - 605


async def test_a_coupon_of_support_lowers_one_invoice(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    subscription = await subscribe(client)
    coupon = await client.v1.coupons.create_async({"percent_off": 25, "duration": "once"})
    given = await client.v1.subscriptions.update_async(subscription.id, {"discounts": [{"coupon": coupon.id}]})
    assert len(given.discounts) == 1
    await to_renewal(web, subscription)
    first = await latest_invoice(client, subscription)
    assert (first.subtotal, first.total) == (1000, 750)
    renewed = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert renewed.discounts == []
    await to_renewal(web, renewed)
    assert (await latest_invoice(client, subscription)).total == 1000
