"""The hosted Checkout page."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.factories import open_session


async def test_the_page_shows_what_is_paid_and_the_test_cards(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    session = await open_session(client)
    page = await web.get(str(session.url))
    assert "2,500,000 tokens" in page.text
    assert "Pay 10.00 EUR" in page.text
    assert "4242424242424242" in page.text


async def test_a_required_address_is_refused_if_missing_and_saved_with_the_customer(
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


@pytest.mark.parametrize(("outcome", "status"), [("complete", "complete"), ("fail", "open")])
async def test_a_card_that_requires_authentication_redirects_to_the_bank_and_back(
    client: stripe.StripeClient, web: httpx.AsyncClient, outcome: str, status: str
) -> None:
    session = await open_session(client)
    to_bank = await web.post(str(session.url), data={"card": "pm_card_threeDSecure2Required"})
    back = await web.post(to_bank.headers["location"], data={"outcome": outcome})
    assert back.headers["location"].startswith(str(session.url))
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == status
    page = await web.get(str(session.url))
    assert page.status_code == (303 if outcome == "complete" else 200)
