"""Subscriptions through the gateway: started on a page, changed, ended, and what is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
import stripe

from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayDeclined, GatewayMissing, GatewayRefused, MissingObject, ScheduleAttached
from app.payments.gateway_values import CheckoutStatus, InvoiceStatus, PaymentStatus, ReturnUrls
from app.payments.subscription_values import (
    ChangeBilling,
    EndReason,
    ItemChange,
    PricedQuantity,
    SubscriptionChange,
    SubscriptionStatus,
)
from tests.payments.changes import half_way, in_an_hour, new_key, new_tax_rate, subscribed, to_quantity
from tests.sandbox.factories import new_customer
from tests.sandbox.subscriptions.subscribing import new_price, to_renewal, use_card

_URLS = ReturnUrls("https://shop.example/done", "https://shop.example/back")


async def _now(web: httpx.AsyncClient) -> datetime:
    return datetime.fromisoformat((await web.get("/_sandbox/clock")).json()["now"])


async def test_a_page_starts_a_subscription_with_its_terms_its_tax_and_its_card(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, rate = await new_customer(client), await new_tax_rate(client)
    base, seat = await new_price(client, 2000), await new_price(client, 500)
    page = await gateway.open_subscription_page(
        customer.id,
        [PricedQuantity(base, 1), PricedQuantity(seat, 3)],
        tax_rate_ids=[rate],
        asks_address=True,
        asks_tax_id=True,
        urls=_URLS,
        metadata={"terms_id": "team-1"},
        expires_at=in_an_hour(await _now(web)),
        key=new_key(),
    )
    assert (page.status, page.total_minor, page.subscription_id) == (CheckoutStatus.OPEN, 3500, None)
    assert page.url is not None
    entered = {"line1": "Street 1", "postal_code": "1000 AA", "city": "Town", "country": "NL", "name": "Ada"}
    tax_id = {"tax_id_type": "eu_vat", "tax_id_value": "NL123456789B01"}
    submitted = await web.post(page.url, data={"card": "4242424242424242", **entered, **tax_id})
    assert submitted.status_code == 303, submitted.text

    done = await gateway.checkout(page.id)

    assert done.status is CheckoutStatus.COMPLETE
    assert done.subscription_id is not None
    subscription = await gateway.subscription(done.subscription_id)
    assert subscription.status is SubscriptionStatus.ACTIVE
    assert {(item.price_id, item.quantity) for item in subscription.items} == {(base, 1), (seat, 3)}
    assert (subscription.customer_id, subscription.currency) == (customer.id, "EUR")
    assert (subscription.metadata, subscription.tax_rate_ids) == ({"terms_id": "team-1"}, (rate,))
    assert subscription.latest_invoice_id == done.invoice_id
    assert subscription.default_card_id is not None
    mode = (await client.v1.subscriptions.retrieve_async(subscription.id)).billing_mode
    assert mode is not None
    assert mode.type == "flexible"
    details = await gateway.billing_details(customer.id)
    assert details.address is not None
    assert (details.address.country, details.address.line1) == ("NL", "Street 1")
    assert [each.value for each in await gateway.tax_ids(customer.id)] == ["NL123456789B01"]


async def test_a_page_that_charges_nothing_for_tax_asks_for_nothing(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    page = await gateway.open_subscription_page(
        customer.id,
        [PricedQuantity(await new_price(client), 1)],
        tax_rate_ids=[],
        asks_address=False,
        asks_tax_id=False,
        urls=_URLS,
        metadata={},
        expires_at=in_an_hour(await _now(web)),
        key=new_key(),
    )
    assert page.url is not None
    declined = await web.post(page.url, data={"card": "4000000000000002"})

    assert declined.status_code == 402
    assert (await gateway.expire_checkout(page.id)).status is CheckoutStatus.EXPIRED
    ended = await gateway.find_subscriptions(customer.id)
    assert all(subscription.has_ended for subscription in ended)


async def test_a_change_that_is_paid_is_made_at_once_with_its_metadata(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)
    change = to_quantity(subscription, 3, prorated_at=half_way(subscription))

    changed = await gateway.change_subscription(subscription.id, change, metadata={"terms_id": "team-2"}, key=new_key())

    assert [item.quantity for item in changed.items] == [3]
    assert (changed.pending_update, changed.metadata) == (None, {"terms_id": "team-2"})
    assert changed.latest_invoice_id not in (None, subscription.latest_invoice_id)
    invoice = await gateway.invoice(str(changed.latest_invoice_id))
    assert invoice is not None
    assert invoice.status is InvoiceStatus.PAID
    assert 990 <= invoice.total_minor <= 1010
    assert [line.is_proration for line in invoice.lines] == [True, True]


async def test_a_change_sent_twice_under_one_key_is_made_once(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)
    change, key = to_quantity(subscription, 3), new_key()

    first = await gateway.change_subscription(subscription.id, change, metadata={}, key=key)
    second = await gateway.change_subscription(subscription.id, change, metadata={}, key=key)

    assert first == second
    invoices = await client.v1.invoices.list_async({"customer": subscription.customer_id})
    assert len(invoices.data) == 2


async def test_a_declined_change_leaves_all_as_it_was_and_is_dropped_with_its_invoice(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)
    await use_card(client, await client.v1.subscriptions.retrieve_async(subscription.id), "pm_card_chargeCustomerFail")

    waiting = await gateway.change_subscription(
        subscription.id, to_quantity(subscription, 3), metadata={"terms_id": "team-2"}, key=new_key()
    )

    assert (waiting.items, waiting.status, waiting.metadata) == (subscription.items, SubscriptionStatus.ACTIVE, {})
    assert waiting.pending_update is not None
    assert [item.quantity for item in waiting.pending_update.items] == [3]
    assert waiting.pending_update.metadata == {"terms_id": "team-2"}
    assert waiting.pending_update.expires_at < waiting.items[0].period_end
    invoice = await gateway.invoice(str(waiting.latest_invoice_id))
    assert invoice is not None
    assert (invoice.status, invoice.attempt.status) == (InvoiceStatus.OPEN, PaymentStatus.DECLINED)
    assert invoice.attempt.decline_code is not None
    await gateway.discard_invoice(invoice.id)
    dropped = await gateway.subscription(subscription.id)
    assert (dropped.pending_update, dropped.items) == (None, subscription.items)


async def test_a_decline_that_is_told_at_once_is_no_error_of_the_sdk(
    gateway: Gateway, client: stripe.StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = await subscribed(gateway, client)

    async def decline(*given: object) -> None:
        raise stripe.CardError("Your card was declined.", "", code="card_declined", http_status=402)

    monkeypatch.setattr(stripe.SubscriptionService, "update_async", decline)

    with pytest.raises(GatewayDeclined) as declined:
        await gateway.change_subscription(subscription.id, to_quantity(subscription, 3), metadata={}, key=new_key())
    assert declined.value.decline_code == "card_declined"


async def test_a_change_waits_for_the_cardholder_and_is_made_once_they_confirm(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client)
    raw = await client.v1.subscriptions.retrieve_async(subscription.id)
    await use_card(client, raw, "pm_card_authenticationRequired")

    waiting = await gateway.change_subscription(
        subscription.id, to_quantity(subscription, 2), metadata={"terms_id": "team-2"}, key=new_key()
    )

    assert waiting.items == subscription.items
    invoice = await gateway.invoice(str(waiting.latest_invoice_id))
    assert invoice is not None
    assert invoice.attempt.status is PaymentStatus.ACTION_REQUIRED
    assert invoice.attempt.client_secret is not None
    assert invoice.attempt.action_url is not None
    await web.post(invoice.attempt.action_url, data={"outcome": "complete"})
    made = await gateway.subscription(subscription.id)
    assert ([item.quantity for item in made.items], made.pending_update) == ([2], None)
    assert made.metadata == {"terms_id": "team-2"}


async def test_a_change_that_bills_nothing_counts_from_the_renewal(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client, quantity=3)
    change = to_quantity(subscription, 1, billing=ChangeBilling.NEVER)
    preview = await gateway.preview_change(subscription.id, change)

    changed = await gateway.change_subscription(subscription.id, change, metadata={}, key=new_key())

    assert changed.latest_invoice_id == subscription.latest_invoice_id
    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id))
    renewed = await gateway.subscription(subscription.id)
    invoice = await gateway.invoice(str(renewed.latest_invoice_id))
    assert invoice is not None
    assert preview.total_minor == invoice.amount_paid_minor == 1000


async def test_items_are_added_replaced_and_removed_in_one_change(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)
    [old] = subscription.items
    other, extra = await new_price(client, 3000), await new_price(client, 200)

    change = SubscriptionChange(
        (ItemChange(old.id, old.price_id, 0), ItemChange(None, other, 1), ItemChange(None, extra, 4)),
        ChangeBilling.AT_ONCE,
    )
    changed = await gateway.change_subscription(subscription.id, change, metadata={}, key=new_key())

    assert {(item.price_id, item.quantity) for item in changed.items} == {(other, 1), (extra, 4)}
    [dearer] = [item for item in changed.items if item.price_id == other]
    upgraded = SubscriptionChange(
        (ItemChange(dearer.id, await new_price(client, 5000), 1),),
        ChangeBilling.AT_ONCE,
    )
    again = await gateway.change_subscription(subscription.id, upgraded, metadata={}, key=new_key())
    assert {item.quantity for item in again.items} == {1, 4}
    assert other not in {item.price_id for item in again.items}


async def test_a_change_that_restarts_the_period_bills_a_full_one_from_now(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client)
    [item] = subscription.items
    await web.post("/_sandbox/clock", json={"advance_seconds": 86400 * 10})
    yearly = await new_price(client, 10000, "year")
    change = SubscriptionChange((ItemChange(item.id, yearly, 1),), ChangeBilling.AT_ONCE, restarts_period=True)
    preview = await gateway.preview_change(subscription.id, change)

    changed = await gateway.change_subscription(subscription.id, change, metadata={}, key=new_key())

    [new] = changed.items
    assert (new.interval, new.interval_count) == ("year", 1)
    assert new.period_start > item.period_start
    assert (new.period_end - new.period_start).days in (365, 366)
    invoice = await gateway.invoice(str(changed.latest_invoice_id))
    assert invoice is not None
    # credits are by the second, and the change may come a second after its preview
    assert abs(preview.due_minor - invoice.amount_paid_minor) <= 1
    assert 9000 < invoice.amount_paid_minor < 10000


async def test_an_end_with_the_period_is_set_taken_back_and_comes(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client)
    [item] = subscription.items

    ending = await gateway.end_with_period(subscription.id, key=new_key())
    assert (ending.ends_at, ending.ends_at_period_end) == (item.period_end, True)
    assert (ending.status, ending.end_reason) == (SubscriptionStatus.ACTIVE, EndReason.REQUESTED)
    going_on = await gateway.take_back_end(subscription.id, key=new_key())
    assert (going_on.ends_at, going_on.ends_at_period_end) == (None, False)
    assert await gateway.take_back_end(subscription.id, key=new_key()) == going_on

    await gateway.end_with_period(subscription.id, key=new_key())
    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id))
    ended = await gateway.subscription(subscription.id)
    assert (ended.status, ended.has_ended, ended.ends_at) == (SubscriptionStatus.CANCELED, True, item.period_end)
    assert await gateway.take_back_end(subscription.id, key=new_key()) == ended


async def test_an_end_that_the_portal_set_as_a_time_is_taken_back_too(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)
    end: Any = {"cancel_at": int(subscription.items[0].period_end.timestamp())}
    await client.v1.subscriptions.update_async(subscription.id, end)
    ending = await gateway.subscription(subscription.id)
    assert (ending.ends_at, ending.ends_at_period_end) == (subscription.items[0].period_end, False)

    going_on = await gateway.take_back_end(subscription.id, key=new_key())

    assert (going_on.ends_at, going_on.has_ended) == (None, False)


async def test_the_end_of_a_subscription_with_a_schedule_is_refused_by_its_name(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)
    schedule = await gateway.create_schedule(subscription.id, key=new_key())

    with pytest.raises(ScheduleAttached) as refused:
        await gateway.end_with_period(subscription.id, key=new_key())

    assert refused.value.schedule_id == schedule.id
    await gateway.release_schedule(schedule.id, key=new_key())
    assert (await gateway.end_with_period(subscription.id, key=new_key())).ends_at_period_end


async def test_a_subscription_ends_now_once_and_can_be_changed_no_more(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)

    ended = await gateway.end_now(subscription.id)

    assert (ended.status, ended.latest_invoice_id) == (SubscriptionStatus.CANCELED, subscription.latest_invoice_id)
    assert await gateway.end_now(subscription.id) == ended
    assert await gateway.find_subscriptions(subscription.customer_id) == [ended]
    with pytest.raises(GatewayRefused):
        await gateway.change_subscription(subscription.id, to_quantity(subscription, 2), metadata={}, key=new_key())
    with pytest.raises(GatewayRefused) as refused:
        await gateway.end_with_period(subscription.id, key=new_key())
    assert not isinstance(refused.value, ScheduleAttached)


async def test_tax_rates_and_the_card_of_a_subscription_are_set(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription, rate = await subscribed(gateway, client), await new_tax_rate(client)
    raw = await client.v1.subscriptions.retrieve_async(subscription.id)
    card = await use_card(client, raw, "pm_card_mastercard")

    assert (await gateway.set_tax_rates(subscription.id, [rate])).tax_rate_ids == (rate,)
    assert (await gateway.set_subscription_card(subscription.id, card)).default_card_id == card
    assert (await gateway.set_tax_rates(subscription.id, [])).tax_rate_ids == ()


async def test_what_support_did_in_the_dashboard_shows(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)
    assert (subscription.is_collection_paused, subscription.has_discount) == (False, False)
    coupon = await client.v1.coupons.create_async({"percent_off": 50, "duration": "forever"})
    params: Any = {"discounts": [{"coupon": coupon.id}], "pause_collection": {"behavior": "void"}}
    await client.v1.subscriptions.update_async(subscription.id, params)

    seen = await gateway.subscription(subscription.id)

    assert (seen.is_collection_paused, seen.has_discount) == (True, True)
    assert seen.items[0].lookup_key is None


async def test_what_is_not_there_is_told_by_its_kind(gateway: Gateway) -> None:
    key = new_key()
    for ask, kind in (
        (lambda: gateway.subscription("sub_none"), MissingObject.SUBSCRIPTION),
        (lambda: gateway.end_now("sub_none"), MissingObject.SUBSCRIPTION),
        (lambda: gateway.end_with_period("sub_none", key=key), MissingObject.SUBSCRIPTION),
        (lambda: gateway.schedule("sub_sched_none"), MissingObject.SCHEDULE),
        (lambda: gateway.release_schedule("sub_sched_none", key=key), MissingObject.SCHEDULE),
        (lambda: gateway.preview_next("sub_none"), MissingObject.SUBSCRIPTION),
        (lambda: gateway.billing_details("cus_none"), MissingObject.CUSTOMER),
    ):
        with pytest.raises(GatewayMissing) as missing:
            await ask()
        assert missing.value.kind is kind
