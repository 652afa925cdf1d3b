"""Checkout sessions."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.factories import open_session


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
        {"success_url": "shop.example/done"},
        {"cancel_url": "/back"},
        {"automatic_tax": {"enabled": True}},
        {"ui_mode": "elements"},
        {"payment_method_types": ["card"]},
    ],
)
async def test_invalid_and_unsupported_parameters_are_refused(client: stripe.StripeClient, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await open_session(client, **wrong)
