"""Customers, tax ids, payment methods and setup intents."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.scenes import customer_with, new_customer


async def test_metadata_is_merged_and_empty_values_unset_keys(client: stripe.StripeClient) -> None:
    customer = await new_customer(client, metadata={"a": "1", "b": "2"})
    updated = await client.v1.customers.update_async(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"b": "2", "c": "3"}
    cleared = await client.v1.customers.update_async(customer.id, {"metadata": ""})
    assert cleared.metadata is not None
    assert cleared.metadata.to_dict() == {}


async def test_a_deleted_customer_leaves_a_remainder_and_no_cards(client: stripe.StripeClient) -> None:
    customer, method = await customer_with(client, "pm_card_visa")
    await client.v1.customers.delete_async(customer.id)
    remainder = await client.v1.customers.retrieve_async(customer.id)
    assert remainder.deleted is True
    assert (await client.v1.payment_methods.retrieve_async(method.id)).customer is None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.customers.update_async(customer.id, {"name": "x"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_tax_ids_are_kept_with_their_customer(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    tax_id = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "NL123456789B01"})
    assert tax_id.country == "NL"
    expanded = await client.v1.customers.retrieve_async(customer.id, {"expand": ["tax_ids"]})
    assert expanded.tax_ids is not None
    assert [entry.id for entry in expanded.tax_ids.data] == [tax_id.id]
    await client.v1.customers.tax_ids.delete_async(customer.id, tax_id.id)
    assert (await client.v1.customers.tax_ids.list_async(customer.id)).data == []


async def test_a_default_card_must_belong_to_the_customer(client: stripe.StripeClient) -> None:
    _, foreign = await customer_with(client, "pm_card_visa")
    customer = await new_customer(client)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.update_async(
            customer.id, {"invoice_settings": {"default_payment_method": foreign.id}}
        )


async def test_a_detached_card_is_no_default_and_cannot_be_used_again(client: stripe.StripeClient) -> None:
    customer, method = await customer_with(client, "pm_card_mastercard")
    await client.v1.payment_methods.detach_async(method.id)
    after = await client.v1.customers.retrieve_async(customer.id)
    assert after.invoice_settings is not None
    assert after.invoice_settings.default_payment_method is None
    assert (await client.v1.customers.payment_methods.list_async(customer.id)).data == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await client.v1.payment_methods.attach_async(method.id, {"customer": customer.id})


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


async def test_stripe_js_confirms_a_setup_intent_with_its_client_secret(
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


async def test_a_publishable_key_reaches_nothing_else(browser: stripe.StripeClient) -> None:
    with pytest.raises(stripe.AuthenticationError):
        await browser.v1.customers.list_async()


@pytest.mark.parametrize("key", ["sk_live_x", "rk_test_x", "nonsense"])
async def test_other_keys_are_not_accepted(web: httpx.AsyncClient, key: str) -> None:
    answer = await web.get("/v1/customers", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(("outcome", "status"), [("complete", "succeeded"), ("fail", "requires_payment_method")])
async def test_the_holder_completes_or_fails_the_set_up_at_the_bank(
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
