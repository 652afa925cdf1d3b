"""The bank's page."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.factories import confirmed_intent, new_customer


@pytest.mark.parametrize(
    ("token", "outcome", "status"),
    [
        ("pm_card_authenticationRequired", "complete", "succeeded"),
        ("pm_card_authenticationRequired", "fail", "requires_payment_method"),
        ("pm_card_threeDSecureRequiredChargeDeclined", "complete", "requires_payment_method"),
    ],
)
async def test_the_cardholder_completes_or_fails_a_payment_at_the_bank(
    client: stripe.StripeClient, web: httpx.AsyncClient, token: str, outcome: str, status: str
) -> None:
    waiting = await confirmed_intent(client, token=token)
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.type == "redirect_to_url"
    assert waiting.next_action.redirect_to_url is not None
    bank = str(waiting.next_action.redirect_to_url.url)
    assert (await web.post(bank, data={"outcome": "maybe"})).status_code == 400
    assert (await web.post(bank, data={"outcome": outcome})).status_code == 200
    assert (await client.v1.payment_intents.retrieve_async(waiting.id)).status == status
    assert (await web.post(bank, data={"outcome": outcome})).status_code == 400


@pytest.mark.parametrize(("outcome", "status"), [("complete", "succeeded"), ("fail", "requires_payment_method")])
async def test_the_cardholder_completes_or_fails_a_setup_at_the_bank(
    client: stripe.StripeClient, web: httpx.AsyncClient, outcome: str, status: str
) -> None:
    customer = await new_customer(client)
    intent = await client.v1.setup_intents.create_async({"customer": customer.id})
    waiting = await client.v1.setup_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_threeDSecure2Required", "return_url": "https://shop.example/back"}
    )
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.redirect_to_url is not None
    bank = str(waiting.next_action.redirect_to_url.url)
    assert "Complete authentication" in (await web.get(bank)).text
    answered = await web.post(bank, data={"outcome": outcome})
    assert answered.headers["location"].startswith(f"https://shop.example/back?setup_intent={intent.id}")
    assert (await client.v1.setup_intents.retrieve_async(intent.id)).status == status


async def test_the_banks_page_needs_the_client_secret(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    waiting = await confirmed_intent(client, token="pm_card_authenticationRequired")
    refused = await web.post(f"/authenticate/{waiting.id}?client_secret=wrong", data={"outcome": "complete"})
    assert refused.status_code == 404
    assert (await client.v1.payment_intents.retrieve_async(waiting.id)).status == "requires_action"
