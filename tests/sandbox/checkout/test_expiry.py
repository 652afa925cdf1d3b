"""Expired Checkout sessions."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.factories import open_session


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
