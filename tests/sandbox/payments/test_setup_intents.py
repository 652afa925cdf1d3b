"""Setup intents."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.factories import new_customer


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
async def test_a_card_that_declines_cannot_be_saved(
    client: stripe.StripeClient, token: str, code: str, decline_code: str | None
) -> None:
    customer = await new_customer(client)
    intent = await client.v1.setup_intents.create_async({"customer": customer.id})
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.setup_intents.confirm_async(intent.id, {"payment_method": token})
    assert declined.value.code == code
    assert declined.value.error is not None
    assert getattr(declined.value.error, "decline_code", None) == decline_code
    after = await client.v1.setup_intents.retrieve_async(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_setup_error is not None
    assert (await client.v1.customers.payment_methods.list_async(customer.id)).data == []


async def test_stripe_js_confirms_a_setup_intent_by_its_client_secret(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    intent = await client.v1.setup_intents.create_async({"customer": customer.id, "usage": "off_session"})
    path, form = f"/v1/setup_intents/{intent.id}/confirm", {"payment_method": "pm_card_visa", "key": "pk_test_browser"}
    refused = await web.post(path, data=form | {"client_secret": "seti_wrong_secret"})
    assert refused.status_code == 404
    confirmed = await web.post(path, data=form | {"client_secret": str(intent.client_secret)})
    assert confirmed.json()["status"] == "succeeded"
    attached = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [method.id for method in attached.data] == [confirmed.json()["payment_method"]]
