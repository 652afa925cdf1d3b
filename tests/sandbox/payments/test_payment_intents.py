"""Payment intents: what each test card does, with and without the cardholder present."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import confirmed_intent, customer_with_card


def intent_in(error: stripe.CardError) -> stripe.PaymentIntent:
    assert error.error is not None
    assert error.error.payment_intent is not None
    return error.error.payment_intent


async def test_a_good_card_is_charged_once(client: stripe.StripeClient) -> None:
    intent = await confirmed_intent(client, 1234)
    assert (intent.status, intent.amount_received) == ("succeeded", 1234)
    charges = await client.v1.charges.list_async({"payment_intent": intent.id})
    assert [(charge.status, charge.amount, charge.paid) for charge in charges.data] == [("succeeded", 1234, True)]
    assert await event_types(client, intent.id) == ["payment_intent.created", "payment_intent.succeeded"]


async def test_a_declined_card_leaves_a_failed_charge_and_an_intent_to_try_again(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_chargeCustomerFail")
    intent = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd", "customer": customer.id})
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": method.id})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    assert intent_in(declined.value).status == "requires_payment_method"
    after = await client.v1.payment_intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(after.latest_charge, stripe.Charge)
    assert (after.latest_charge.status, after.latest_charge.paid) == ("failed", False)
    retried = await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert retried.status == "succeeded"


async def off_session(client: stripe.StripeClient, customer_id: str, method_id: str) -> stripe.PaymentIntent:
    return await client.v1.payment_intents.create_async(
        {
            "amount": 500,
            "currency": "usd",
            "customer": customer_id,
            "payment_method": method_id,
            "confirm": True,
            "off_session": True,
        }
    )


async def test_off_session_a_card_that_requires_authentication_is_declined(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as declined:
        await off_session(client, customer.id, method.id)
    assert declined.value.code == "authentication_required"
    assert intent_in(declined.value).status == "requires_payment_method"


async def test_a_card_that_requires_authentication_only_on_session_pays_off_session(
    client: stripe.StripeClient,
) -> None:
    customer, method = await customer_with_card(client, "pm_card_authenticationRequiredSetupForOffSession")
    assert (await off_session(client, customer.id, method.id)).status == "succeeded"


async def test_a_card_that_was_set_up_with_authentication_pays_off_session(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, method = await customer_with_card(client, "pm_card_authenticationRequiredOnSetup")
    with pytest.raises(stripe.CardError):
        await off_session(client, customer.id, method.id)
    setup = await client.v1.setup_intents.create_async(
        {"customer": customer.id, "payment_method": method.id, "confirm": True}
    )
    assert setup.next_action is not None
    assert setup.next_action.redirect_to_url is not None
    await web.post(str(setup.next_action.redirect_to_url.url), data={"outcome": "complete"})
    assert (await off_session(client, customer.id, method.id)).status == "succeeded"


async def test_a_canceled_intent_cannot_be_paid(client: stripe.StripeClient) -> None:
    intent = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    await client.v1.payment_intents.cancel_async(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert refused.value.code == "payment_intent_unexpected_state"


async def test_the_card_of_another_customer_cannot_be_charged(client: stripe.StripeClient) -> None:
    _, foreign = await customer_with_card(client, "pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="belongs to another Customer"):
        await confirmed_intent(client, token=foreign.id)
