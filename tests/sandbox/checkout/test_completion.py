"""Completing a Checkout session."""

from __future__ import annotations

import httpx
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import new_customer, open_session


async def test_paying_completes_the_session_and_makes_its_invoice_and_saves_the_card(
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


async def test_a_declined_card_leaves_the_session_open_for_another_card(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(client)
    declined = await web.post(str(session.url), data={"card": "pm_card_chargeDeclinedInsufficientFunds"})
    assert declined.status_code == 402
    assert "insufficient funds" in declined.text
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == "open"
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == "paid"


async def test_in_setup_mode_a_card_is_saved_and_nothing_is_charged(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
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


async def test_confirming_the_sessions_own_setup_intent_completes_the_session(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    session = await client.v1.checkout.sessions.create_async(
        {"mode": "setup", "customer": customer.id, "currency": "eur", "success_url": "https://shop.example/done"}
    )
    await client.v1.setup_intents.confirm_async(str(session.setup_intent), {"payment_method": "pm_card_visa"})
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == "complete"
    assert await event_types(client, session.id) == ["checkout.session.completed"]


async def test_an_exempt_customer_pays_on_the_page_what_the_invoice_says(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client, tax_exempt="reverse")
    session = await open_session(client, customer=customer.id)
    assert (session.amount_subtotal, session.amount_total) == (1000, 826)
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    done = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent", "invoice"]})
    assert isinstance(done.payment_intent, stripe.PaymentIntent)
    assert isinstance(done.invoice, stripe.Invoice)
    assert (done.payment_intent.amount, done.invoice.total, done.invoice.amount_paid) == (826, 826, 826)
