"""Checkout: the hosted page from opening to completion or expiry."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.scenes import event_types, new_customer


async def open_session(client: stripe.StripeClient, **given: Any) -> stripe.checkout.Session:
    """Return an open session in payment mode over 1,000 EUR cents including 21 % tax."""
    customer = await new_customer(client)
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    price_data = {"currency": "eur", "unit_amount": 1000, "product_data": {"name": "2,500,000 tokens"}}
    params: Any = {
        "mode": "payment",
        "customer": customer.id,
        "line_items": [{"price_data": price_data, "quantity": 1, "tax_rates": [rate.id]}],
        "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/back",
        "client_reference_id": "purchase-1",
        "metadata": {"purchase_id": "purchase-1"},
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": {"purchase_id": "purchase-1"}}},
        "payment_intent_data": {"metadata": {"purchase_id": "purchase-1"}, "setup_future_usage": "off_session"},
    }
    return await client.v1.checkout.sessions.create_async(params | given)


async def test_a_person_sees_what_is_paid_and_chooses_a_card(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(client)
    page = await web.get(str(session.url))
    assert "2,500,000 tokens" in page.text
    assert "Pay 10.00 EUR" in page.text
    assert "4242424242424242" in page.text


async def test_paying_completes_the_session_with_intent_invoice_and_saved_card(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(client)
    assert (session.amount_total, session.payment_status, session.payment_intent) == (1000, "unpaid", None)
    answer = await web.post(str(session.url), data={"card": "4242 4242 4242 4242"})
    assert answer.headers["location"] == f"https://shop.example/done?session={session.id}"
    done = await client.v1.checkout.sessions.retrieve_async(
        session.id, {"expand": ["payment_intent.payment_method", "invoice", "line_items"]}
    )
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    intent, invoice = done.payment_intent, done.invoice
    assert isinstance(intent, stripe.PaymentIntent)
    assert isinstance(invoice, stripe.Invoice)
    assert (intent.status, intent.amount_received) == ("succeeded", 1000)
    assert intent.metadata.to_dict() == {"purchase_id": "purchase-1"}
    assert (invoice.status, invoice.total, invoice.amount_paid) == ("paid", 1000, 1000)
    assert invoice.total_taxes is not None
    assert invoice.total_taxes[0].amount == 174
    assert invoice.metadata is not None
    assert invoice.metadata.to_dict() == {"purchase_id": "purchase-1"}
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    assert intent.payment_method.customer == session.customer
    assert done.line_items is not None
    assert [line.amount_tax for line in done.line_items.data] == [174]
    assert await event_types(client, session.id) == ["checkout.session.completed"]
    assert "invoice.paid" in await event_types(client, invoice.id)
    charges = await client.v1.charges.list_async({"payment_intent": intent.id})
    assert len(charges.data) == 1


async def test_a_declined_card_leaves_the_page_open_for_another(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(client)
    declined = await web.post(str(session.url), data={"card": "pm_card_chargeDeclinedInsufficientFunds"})
    assert declined.status_code == 402
    assert "insufficient funds" in declined.text
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == "open"
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == "paid"


@pytest.mark.parametrize(("outcome", "status"), [("complete", "complete"), ("fail", "open")])
async def test_a_card_that_asks_for_its_holder_leads_through_the_bank_and_back(
    client: stripe.StripeClient, web: httpx.AsyncClient, outcome: str, status: str
) -> None:
    session = await open_session(client)
    to_bank = await web.post(str(session.url), data={"card": "pm_card_threeDSecure2Required"})
    back = await web.post(to_bank.headers["location"], data={"outcome": outcome})
    assert back.headers["location"].startswith(str(session.url))
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == status
    page = await web.get(str(session.url))
    assert page.status_code == (303 if outcome == "complete" else 200)


async def test_setup_mode_saves_a_card_and_charges_nothing(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    customer = await new_customer(client)
    session = await client.v1.checkout.sessions.create_async(
        {"mode": "setup", "customer": customer.id, "currency": "eur", "success_url": "https://shop.example/done"}
    )
    assert "Save card" in (await web.get(str(session.url))).text
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    done = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["setup_intent"]})
    assert (done.status, done.payment_status) == ("complete", "no_payment_required")
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    saved = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [method.id for method in saved.data] == [done.setup_intent.payment_method]
    assert (await client.v1.charges.list_async({"customer": customer.id})).data == []


async def test_an_address_asked_for_is_required_and_kept_with_the_customer(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(
        client, billing_address_collection="required", customer_update={"address": "auto", "name": "auto"}
    )
    refused = await web.post(str(session.url), data={"card": "pm_card_visa"})
    assert refused.status_code == 400
    form = {"card": "pm_card_visa", "name": "Ada L.", "country": "NL", "city": "Delft"}
    await web.post(str(session.url), data=form)
    customer = await client.v1.customers.retrieve_async(str(session.customer))
    assert customer.name == "Ada L."
    assert customer.address is not None
    assert (customer.address.country, customer.address.city) == ("NL", "Delft")


async def test_an_expired_session_takes_no_money(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    session = await open_session(client)
    expired = await client.v1.checkout.sessions.expire_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert (await web.get(str(session.url))).status_code == 410
    assert (await web.post(str(session.url), data={"card": "pm_card_visa"})).status_code == 400
    assert (await client.v1.charges.list_async({"customer": str(session.customer)})).data == []
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(session.id)


async def test_a_session_expires_by_the_sandboxs_clock(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    now = (await web.get("/_sandbox/clock")).json()["timestamp"]
    session = await open_session(client, expires_at=now + 1800)
    await web.post("/_sandbox/clock", json={"advance_seconds": 1801})
    after = await client.v1.checkout.sessions.retrieve_async(session.id)
    assert after.status == "expired"
    page = await client.v1.events.list_async({"type": "checkout.session.expired", "limit": 1})
    assert page.data[0].data.object.to_dict()["id"] == session.id
    assert page.data[0].created == now + 1800


async def test_sessions_are_listed_by_customer_and_intent(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    session = await open_session(client)
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    intent = (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent
    for match in ({"customer": session.customer}, {"payment_intent": intent}):
        found = await client.v1.checkout.sessions.list_async(match)  # pyright: ignore[reportArgumentType]
        assert [entry.id for entry in found.data] == [session.id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "subscription"},
        {"line_items": []},
        {"expires_at": 1},
        {"automatic_tax": {"enabled": True}},
        {"ui_mode": "elements"},
        {"payment_method_types": ["card"]},
    ],
)
async def test_a_session_that_cannot_be_is_refused(client: stripe.StripeClient, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await open_session(client, **wrong)
