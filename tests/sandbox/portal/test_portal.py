"""The billing portal: what a configuration offers, and what a customer does there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import Refusal, refusal
from tests.sandbox.subscriptions.subscribing import only_item, subscribe

ALL: Any = {
    "customer_update": {"enabled": True, "allowed_updates": ["name", "email", "address", "tax_id"]},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {
        "enabled": True,
        "mode": "at_period_end",
        "cancellation_reason": {"enabled": True, "options": ["unused", "too_expensive"]},
    },
}


async def open_portal(
    client: stripe.StripeClient, customer: str, features: Any = ALL, **given: Any
) -> stripe.billing_portal.Session:
    """Return a session of the portal for a customer, by a configuration of its own."""
    params: Any = {"features": features, **given}
    configuration = await client.v1.billing_portal.configurations.create_async(params)
    return await client.v1.billing_portal.sessions.create_async(
        {"customer": customer, "configuration": configuration.id, "return_url": "https://shop.example/billing"}
    )


async def test_the_portal_shows_what_its_configuration_offers(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    customer = str(subscription.customer)
    everything = (await web.get((await open_portal(client, customer)).url)).text
    for part in (
        "Renews on",
        "Cancel on",
        "Payment methods",
        "ending in 4242",
        "Billing details",
        "Tax id",
        "Invoices",
    ):
        assert part in everything
    assert 'href="https://shop.example/billing"' in everything
    little = (await web.get((await open_portal(client, customer, {"invoice_history": {"enabled": True}})).url)).text
    assert "Invoices" in little
    for part in ("Cancel on", "Payment methods", "Billing details"):
        assert part not in little


async def test_what_a_configuration_does_not_offer_is_not_done(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    session = await open_portal(client, str(subscription.customer), {"invoice_history": {"enabled": True}})
    for form in (
        {"action": "cancel", "subscription": subscription.id},
        {"action": "add_card", "card": "pm_card_visa"},
        {"action": "update_details", "name": "Other"},
        {"action": "add_tax_id", "tax_id_type": "eu_vat", "tax_id_value": "NL123456789B01"},
        {"action": "nothing"},
    ):
        assert (await web.post(session.url, data=form)).status_code == 400
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).to_dict() == subscription.to_dict()


async def test_a_cancelation_in_the_portal_sets_when_it_ends_and_is_taken_back(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    session = await open_portal(client, str(subscription.customer))
    form = {"action": "cancel", "subscription": subscription.id, "feedback": "unused"}
    answer = await web.post(session.url, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, session.url)

    ending = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (ending.cancel_at, ending.cancel_at_period_end) == (only_item(subscription).current_period_end, False)
    assert ending.cancellation_details is not None
    assert ending.cancellation_details.feedback == "unused"
    await web.post(session.url, data={"action": "renew", "subscription": subscription.id})
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).cancel_at is None


async def test_a_subscription_with_a_planned_change_is_not_canceled_in_the_portal(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    session = await open_portal(client, str(subscription.customer))
    assert "already planned" in (await web.get(session.url)).text
    answer = await web.post(session.url, data={"action": "cancel", "subscription": subscription.id})
    assert answer.status_code == 400
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).cancel_at is None


async def test_another_customers_things_are_out_of_reach(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    others = await subscribe(client)
    session = await open_portal(client, str((await subscribe(client)).customer))
    for form in (
        {"action": "cancel", "subscription": others.id},
        {"action": "make_default", "payment_method": str(others.default_payment_method)},
    ):
        assert (await web.post(session.url, data=form)).status_code == 400
    assert (await web.get(session.url[:-1] + "x")).status_code == 404


async def test_a_new_card_becomes_the_default_of_customer_and_subscriptions(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    customer = str(subscription.customer)
    own = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer})
    await client.v1.subscriptions.update_async(subscription.id, {"default_payment_method": own.id})
    session = await open_portal(client, customer)
    declined = await web.post(session.url, data={"action": "add_card", "card": "pm_card_chargeDeclined"})
    assert (declined.status_code, "declined" in declined.text) == (402, True)
    await web.post(session.url, data={"action": "add_card", "card": "5555555555554444"})

    settings = (await client.v1.customers.retrieve_async(customer)).invoice_settings
    assert settings is not None
    added = await client.v1.payment_methods.retrieve_async(str(settings.default_payment_method))
    assert added.card is not None
    assert added.card.brand == "mastercard"
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).default_payment_method is None
    kept = await web.post(session.url, data={"action": "remove_card", "payment_method": added.id})
    assert kept.status_code == 400
    removed = await web.post(session.url, data={"action": "remove_card", "payment_method": own.id})
    assert removed.status_code == 303


async def test_details_and_tax_ids_are_changed(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    customer = await new_customer(client)
    session = await open_portal(client, customer.id)
    form = {
        "action": "update_details",
        "name": "Ada B.V.",
        "email": "ada@ada.example",
        "country": "NL",
        "city": "Delft",
    }
    assert (await web.post(session.url, data=form)).status_code == 303
    tax_id = {"action": "add_tax_id", "tax_id_type": "eu_vat", "tax_id_value": "NL123456789B01"}
    assert (await web.post(session.url, data=tax_id)).status_code == 303

    changed = await client.v1.customers.retrieve_async(customer.id)
    assert (changed.name, changed.email) == ("Ada B.V.", "ada@ada.example")
    assert changed.address is not None
    assert (changed.address.city, changed.address.country) == ("Delft", "NL")
    [added] = (await client.v1.customers.tax_ids.list_async(customer.id)).data
    assert (await web.post(session.url, data={"action": "remove_tax_id", "tax_id": added.id})).status_code == 303
    assert (await client.v1.customers.tax_ids.list_async(customer.id)).data == []


async def test_a_link_is_good_for_five_minutes_and_then_for_an_hour_from_its_last_use(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    unopened, used = await open_portal(client, customer.id), await open_portal(client, customer.id)
    await web.get(used.url)
    await web.post("/_sandbox/clock", json={"advance_seconds": 1800})
    assert (await web.get(unopened.url)).status_code == 410
    assert (await web.get(used.url)).status_code == 200
    await web.post("/_sandbox/clock", json={"advance_seconds": 3700})
    assert (await web.get(used.url)).status_code == 410


@pytest.mark.parametrize(
    ("features", "param"),
    [
        ({"subscription_cancel": {"enabled": True, "proration_behavior": "always_invoice"}}, "proration_behavior"),
        ({"subscription_cancel": {"enabled": True, "proration_behavior": "create_prorations"}}, "proration_behavior"),
        ({"subscription_update": {"enabled": True}}, "enabled"),
        ({"customer_update": {"enabled": True}}, "allowed_updates"),
    ],
)
async def test_what_the_portal_cant_offer_is_refused(client: stripe.StripeClient, features: Any, param: str) -> None:
    [name] = features
    refused = await refusal(client.v1.billing_portal.configurations.create_async({"features": features}))
    assert refused == Refusal(400, None, f"features[{name}][{param}]")


async def test_configurations_are_changed_listed_and_needed(client: stripe.StripeClient) -> None:
    configuration = await client.v1.billing_portal.configurations.create_async({"features": ALL, "name": "with cancel"})
    without: Any = {"features": {"subscription_cancel": {"enabled": False}}, "active": False}
    changed = await client.v1.billing_portal.configurations.update_async(configuration.id, without)
    assert (changed.active, changed.name, changed.features.subscription_cancel.enabled) == (False, "with cancel", False)
    assert changed.features.payment_method_update.enabled
    listed = await client.v1.billing_portal.configurations.list_async({"active": False})
    assert configuration.id in [each.id for each in listed.data]
    customer = await new_customer(client)
    assert (await refusal(client.v1.billing_portal.sessions.create_async({"customer": customer.id}))).status == 400
    inactive = client.v1.billing_portal.sessions.create_async(
        {"customer": customer.id, "configuration": configuration.id}
    )
    assert await refusal(inactive) == Refusal(400, None, "configuration")
