"""Checkout in subscription mode."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import refusal
from tests.sandbox.subscriptions.subscribing import new_price, to_renewal


async def open_subscription_session(client: stripe.StripeClient, **given: Any) -> stripe.checkout.Session:
    """Return an open session for two seats of 12.10 EUR a month including 21 % tax."""
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    if "customer" not in given:
        given["customer"] = (await new_customer(client)).id
    params: Any = {
        "mode": "subscription",
        "line_items": [{"price": await new_price(client, 1210), "quantity": 2}],
        "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/back",
        "client_reference_id": "workspace-1",
        "subscription_data": {
            "billing_mode": {"type": "flexible"},
            "default_tax_rates": [rate.id],
            "metadata": {"workspace": "1"},
        },
    }
    return await client.v1.checkout.sessions.create_async(params | given)


async def subscription_of(client: stripe.StripeClient, session: stripe.checkout.Session) -> stripe.Subscription:
    """Return the subscription of a completed session."""
    done = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription"]})
    assert isinstance(done.subscription, stripe.Subscription)
    return done.subscription


async def test_a_paid_session_has_an_active_subscription_with_its_own_card(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_subscription_session(client)
    assert (session.amount_total, session.payment_status, session.subscription) == (2420, "unpaid", None)
    answer = await web.post(str(session.url), data={"card": "4242424242424242"})
    assert answer.headers["location"] == f"https://shop.example/done?session={session.id}"

    done = await client.v1.checkout.sessions.retrieve_async(session.id)
    assert (done.status, done.payment_status, done.payment_intent) == ("complete", "paid", None)
    subscription = await subscription_of(client, session)
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"workspace": "1"})
    assert subscription.latest_invoice == done.invoice
    invoice = await client.v1.invoices.retrieve_async(str(done.invoice))
    assert (invoice.total, [tax.amount for tax in invoice.total_taxes or ()]) == (2420, [420])
    customer = await client.v1.customers.retrieve_async(str(session.customer))
    assert customer.invoice_settings is not None
    assert customer.invoice_settings.default_payment_method is None
    method = await client.v1.payment_methods.retrieve_async(str(subscription.default_payment_method))
    assert method.customer == session.customer
    await to_renewal(web, subscription)
    renewed = await client.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert isinstance(renewed.latest_invoice, stripe.Invoice)
    assert (renewed.latest_invoice.status, renewed.latest_invoice.amount_paid) == ("paid", 2420)


async def test_a_declined_card_leaves_one_incomplete_subscription_that_another_card_pays(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_subscription_session(client)
    assert (await web.post(str(session.url), data={"card": "pm_card_chargeDeclined"})).status_code == 402
    [waiting] = (await client.v1.subscriptions.list_async({"customer": str(session.customer)})).data
    assert waiting.status == "incomplete"
    for call in (
        client.v1.subscriptions.cancel_async(waiting.id),
        client.v1.subscriptions.update_async(waiting.id, {"metadata": {"a": "b"}}),
    ):
        assert (await refusal(call)).status == 400
    await web.post(str(session.url), data={"card": "pm_card_visa"})

    [only] = (await client.v1.subscriptions.list_async({"customer": str(session.customer), "status": "all"})).data
    assert (only.id, only.status) == (waiting.id, "active")


async def test_authentication_completes_the_session(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    session = await open_subscription_session(client)
    bank = await web.post(str(session.url), data={"card": "pm_card_authenticationRequired"})
    assert bank.status_code == 303
    back = await web.post(bank.headers["location"], data={"outcome": "complete"})
    assert back.status_code == 303
    assert (await subscription_of(client, session)).status == "active"


@pytest.mark.parametrize("by_time", [False, True])
async def test_an_expired_session_ends_the_subscription_that_nobody_paid(
    client: stripe.StripeClient, web: httpx.AsyncClient, by_time: bool
) -> None:
    session = await open_subscription_session(client)
    await web.post(str(session.url), data={"card": "pm_card_chargeDeclined"})
    if by_time:
        await web.post("/_sandbox/clock", json={"advance_seconds": 25 * 3600})
    else:
        await client.v1.checkout.sessions.expire_async(session.id)

    [ended] = (await client.v1.subscriptions.list_async({"customer": str(session.customer), "status": "all"})).data
    assert ended.status == "incomplete_expired"
    assert (await client.v1.invoices.retrieve_async(str(ended.latest_invoice))).status == "void"


async def test_the_page_asks_for_quantities_an_address_and_a_tax_id(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    line: Any = {
        "price": await new_price(client, 1000),
        "quantity": 2,
        "adjustable_quantity": {"enabled": True, "minimum": 2, "maximum": 10},
    }
    session = await open_subscription_session(
        client,
        line_items=[line],
        billing_address_collection="required",
        customer_update={"address": "auto", "name": "auto"},
        tax_id_collection={"enabled": True},
    )
    shown = (await web.get(str(session.url))).text
    assert 'name="quantity_0" value="2" min="2" max="10"' in shown
    assert 'name="tax_id_value"' in shown
    form = {"card": "pm_card_visa", "name": "Ada B.V.", "country": "NL", "tax_id_type": "eu_vat"}
    refused = await web.post(str(session.url), data={**form, "quantity_0": "11"})
    assert refused.status_code == 400
    await web.post(str(session.url), data={**form, "quantity_0": "5", "tax_id_value": "NL123456789B01"})

    subscription = await subscription_of(client, session)
    assert subscription["items"].data[0].quantity == 5
    invoice = await client.v1.invoices.retrieve_async(str(subscription.latest_invoice))
    assert (invoice.total, invoice.customer_name) == (5000, "Ada B.V.")
    assert [tax_id.value for tax_id in invoice.customer_tax_ids or ()] == ["NL123456789B01"]


async def test_a_credit_that_pays_for_all_completes_the_session_without_a_charge(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client, balance=-5000)
    session = await open_subscription_session(client, customer=customer.id)
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    subscription = await subscription_of(client, session)
    assert (subscription.status, subscription.default_payment_method is None) == ("active", False)
    assert (await client.v1.charges.list_async({"customer": customer.id})).data == []


async def test_what_a_subscription_cant_be_made_of_is_refused(client: stripe.StripeClient) -> None:
    once = await client.v1.prices.create_async(
        {"currency": "eur", "unit_amount": 100, "product_data": {"name": "Once"}}
    )
    for given, param in (
        ({"line_items": [{"price": once.id, "quantity": 1}]}, "line_items"),
        ({"invoice_creation": {"enabled": True}}, "invoice_creation"),
        ({"payment_method_collection": "if_required"}, "payment_method_collection"),
        ({"tax_id_collection": {"enabled": True}}, "customer_update[name]"),
        ({"subscription_data": {"trial_period_days": 7}}, "subscription_data.trial_period_days"),
    ):
        refused = await refusal(open_subscription_session(client, **given))
        assert (refused.status, refused.param) == (400, param)
