"""Expired Checkout sessions."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import open_session
from tests.sandbox.refusals import refusal


async def test_an_expired_session_cannot_be_paid(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    session = await open_session(client)
    expired = await client.v1.checkout.sessions.expire_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert (await web.get(str(session.url))).status_code == 410
    assert (await web.post(str(session.url), data={"card": "pm_card_visa"})).status_code == 400
    assert (await client.v1.charges.list_async({"customer": str(session.customer)})).data == []
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(session.id)


async def test_a_session_expires_when_the_clock_reaches_its_time(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    now = (await web.get("/_sandbox/clock")).json()["timestamp"]
    session = await open_session(client, expires_at=now + 1800)
    await web.post("/_sandbox/clock", json={"advance_seconds": 1801})
    after = await client.v1.checkout.sessions.retrieve_async(session.id)
    assert after.status == "expired"
    page = await client.v1.events.list_async({"type": "checkout.session.expired", "limit": 1})
    assert page.data[0].data.object.to_dict()["id"] == session.id
    assert page.data[0].created == now + 1800


async def test_the_intent_of_an_expired_session_is_canceled_as_any_other(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(client)
    await web.post(str(session.url), data={"card": "pm_card_chargeDeclined"})
    expired = await client.v1.checkout.sessions.expire_async(session.id, {"expand": ["payment_intent"]})
    intent = expired.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "abandoned")
    assert intent.canceled_at is not None
    assert (await event_types(client, intent.id))[-1] == "payment_intent.canceled"


async def test_the_intent_of_a_session_is_canceled_only_with_the_session(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    paying = await open_session(client)
    await web.post(str(paying.url), data={"card": "pm_card_chargeDeclined"})
    intent = (await client.v1.checkout.sessions.retrieve_async(paying.id)).payment_intent
    saving = await client.v1.checkout.sessions.create_async(
        {"mode": "setup", "customer": str(paying.customer), "currency": "eur", "success_url": "https://shop.example"}
    )
    for call in (
        client.v1.payment_intents.cancel_async(str(intent)),
        client.v1.setup_intents.cancel_async(str(saving.setup_intent)),
    ):
        await refusal(call, "created by a Checkout Session")
