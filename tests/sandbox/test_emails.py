"""E-mail addresses."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import refusal


@pytest.mark.parametrize(
    "text", ["nope", "nope@", "@example.com", "a b@example.com", "ada@example", "ada@.com", "a@b@c.com"]
)
async def test_text_that_is_no_address_is_refused_wherever_one_is_given(client: stripe.StripeClient, text: str) -> None:
    customer = await new_customer(client)
    method = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    calls = {
        "email": [
            client.v1.customers.create_async({"email": text}),
            client.v1.customers.update_async(customer.id, {"email": text}),
        ],
        "receipt_email": [
            client.v1.payment_intents.create_async({"amount": 100, "currency": "eur", "receipt_email": text})
        ],
        "billing_details[email]": [
            client.v1.payment_methods.update_async(method.id, {"billing_details": {"email": text}}),
            client.v1.payment_methods.create_async(
                {"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"email": text}}
            ),
        ],
    }
    for param, refused in calls.items():
        for call in refused:
            assert await refusal(call, f"Invalid email address: {text}") == (400, "email_invalid", param)


@pytest.mark.parametrize("address", ["ada@example.com", "a.b+c@mail.example.co.uk", "Ünal@bücher.example"])
async def test_addresses_are_taken(client: stripe.StripeClient, address: str) -> None:
    assert (await client.v1.customers.create_async({"email": address})).email == address
