"""Payment methods."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.event_types import previous_attributes
from tests.sandbox.factories import confirmed_intent, customer_with_card, open_invoice
from tests.sandbox.refusals import refusal


async def test_a_detached_card_is_not_the_default_and_cannot_be_used_again(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_mastercard")
    await client.v1.payment_methods.detach_async(method.id)
    after = await client.v1.customers.retrieve_async(customer.id)
    assert after.invoice_settings is not None
    assert after.invoice_settings.default_payment_method is None
    assert (await client.v1.customers.payment_methods.list_async(customer.id)).data == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await client.v1.payment_methods.attach_async(method.id, {"customer": customer.id})


async def test_a_card_gets_another_expiry(client: stripe.StripeClient) -> None:
    _, method = await customer_with_card(client, "pm_card_visa")
    assert method.card is not None
    later = method.card.exp_year + 4
    changed = await client.v1.payment_methods.update_async(method.id, {"card": {"exp_month": 7, "exp_year": later}})
    assert changed.card is not None
    assert (changed.card.exp_month, changed.card.exp_year, changed.card.last4) == (7, later, "4242")
    assert await previous_attributes(client, "payment_method.updated", method.id) == {
        "card": {"exp_month": 12, "exp_year": method.card.exp_year}
    }


@pytest.mark.parametrize(
    ("expiry", "code"),
    [({"exp_month": 13}, "invalid_expiry_month"), ({"exp_year": 2020}, "invalid_expiry_year")],
)
async def test_an_expiry_that_has_passed_or_never_comes_is_refused(
    client: stripe.StripeClient, expiry: Any, code: str
) -> None:
    _, method = await customer_with_card(client, "pm_card_visa")
    new_card: Any = {"number": "4242424242424242", "exp_month": 1, "exp_year": 2040, **expiry}
    for call in (
        client.v1.payment_methods.update_async(method.id, {"card": expiry}),
        client.v1.payment_methods.create_async({"type": "card", "card": new_card}),
    ):
        refused = await refusal(call)
        assert (refused.status, refused.code) == (402, code)


async def test_a_card_by_number_needs_its_expiry_and_keeps_it(client: stripe.StripeClient) -> None:
    number = "5555555555554444"
    refused = await refusal(client.v1.payment_methods.create_async({"type": "card", "card": {"number": number}}))
    assert refused == (400, "parameter_missing", "card[exp_month]")
    method = await client.v1.payment_methods.create_async(
        {"type": "card", "card": {"number": number, "exp_month": 4, "exp_year": 2041, "cvc": "123"}}
    )
    assert method.card is not None
    assert (method.card.exp_month, method.card.exp_year) == (4, 2041)


async def test_a_payment_method_of_no_customer_is_not_changed(client: stripe.StripeClient) -> None:
    method = await client.v1.payment_methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    call = client.v1.payment_methods.update_async(method.id, {"metadata": {"a": "1"}})
    assert (await refusal(call, "must save this PaymentMethod to a customer")).status == 400


async def test_the_card_network_renews_a_card(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    _, method = await customer_with_card(client, "pm_card_visa")
    assert method.card is not None
    path = f"/_sandbox/payment_methods/{method.id}/renew"
    assert (await web.post(path)).json()["card"]["exp_year"] == method.card.exp_year + 3
    assert await previous_attributes(client, "payment_method.automatically_updated", method.id) == {
        "card": {"exp_year": method.card.exp_year}
    }
    answer = await web.post(path, json={"exp_month": 5, "exp_year": 2047, "last4": "1881"})
    card = (await client.v1.payment_methods.retrieve_async(method.id)).card
    assert card is not None
    assert answer.json()["card"] == card.to_dict()
    assert (card.exp_month, card.exp_year, card.last4) == (5, 2047, "1881")
    assert card.fingerprint != method.card.fingerprint
    paid = await client.v1.payment_intents.create_async(
        {
            "amount": 100,
            "currency": "eur",
            "customer": str(method.customer),
            "payment_method": method.id,
            "confirm": True,
        }
    )
    assert paid.status == "succeeded"


@pytest.mark.parametrize("body", [{"last4": "12"}, {"exp_year": "2047"}, {"exp_year": 2020}, {"brand": "amex"}])
async def test_a_card_is_not_renewed_to_one_that_can_not_be(
    client: stripe.StripeClient, web: httpx.AsyncClient, body: Any
) -> None:
    _, method = await customer_with_card(client, "pm_card_visa")
    assert (await web.post(f"/_sandbox/payment_methods/{method.id}/renew", json=body)).status_code in (400, 402)
    assert (await client.v1.payment_methods.retrieve_async(method.id)).card == method.card


async def test_a_detached_card_is_refused_wherever_it_would_pay(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    await client.v1.payment_methods.detach_async(method.id)
    paying: Any = {"amount": 100, "currency": "eur", "customer": customer.id, "payment_method": method.id}
    not_attached = [
        client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id}),
        client.v1.invoices.create_async({"customer": customer.id, "default_payment_method": method.id}),
        client.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": method.id}}),
    ]
    for call in not_attached:
        assert (await refusal(call, "does not have a payment method with the ID")).code == "resource_missing"
    used_up = [
        client.v1.payment_intents.create_async(paying),
        client.v1.payment_intents.create_async(paying | {"confirm": True}),
        client.v1.setup_intents.create_async({"customer": customer.id, "payment_method": method.id}),
        client.v1.payment_methods.attach_async(method.id, {"customer": customer.id}),
    ]
    for call in used_up:
        assert (await refusal(call, "may not be used again")).code == "payment_method_unexpected_state"
    assert (
        await refusal(client.v1.payment_methods.detach_async(method.id), "not attached to a customer")
    ).status == 400


async def test_a_card_that_paid_without_being_attached_may_not_be_used_again(client: stripe.StripeClient) -> None:
    intent = await confirmed_intent(client)
    paying: Any = {"amount": 100, "currency": "eur", "payment_method": intent.payment_method, "confirm": True}
    await refusal(client.v1.payment_intents.create_async(paying), "may not be used again")


async def test_an_invoice_whose_default_card_was_detached_is_not_collected_and_the_clock_goes_on(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async(
        {"customer": customer.id, "currency": "eur", "auto_advance": True, "default_payment_method": method.id}
    )
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 900})
    await client.v1.payment_methods.detach_async(method.id)
    assert (await web.post("/_sandbox/clock", json={"advance_seconds": 7300})).status_code == 200
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.next_payment_attempt) == ("open", None)


async def test_a_number_has_one_fingerprint_however_often_it_is_saved_and_it_does_not_tell_the_number(
    client: stripe.StripeClient,
) -> None:
    async def saved(**card: Any) -> str:
        method = await client.v1.payment_methods.create_async({"type": "card", "card": card})  # pyright: ignore[reportArgumentType]
        assert method.card is not None
        assert method.card.fingerprint is not None
        return method.card.fingerprint

    by_token = await saved(token="tok_visa")
    by_number = await saved(number="4242424242424242", exp_month=7, exp_year=2044)

    assert by_token == by_number
    assert "4242" not in by_token
    assert await saved(token="tok_mastercard") != by_token
