"""Customers."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import customer_with_card, new_customer


async def test_a_deleted_customer_can_be_retrieved_but_not_changed_and_has_no_cards(
    client: stripe.StripeClient,
) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    await client.v1.customers.delete_async(customer.id)
    remainder = await client.v1.customers.retrieve_async(customer.id)
    assert remainder.deleted is True
    assert (await client.v1.payment_methods.retrieve_async(method.id)).customer is None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.customers.update_async(customer.id, {"name": "x"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_the_default_card_must_be_attached_to_the_customer(client: stripe.StripeClient) -> None:
    _, foreign = await customer_with_card(client, "pm_card_visa")
    customer = await new_customer(client)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.update_async(
            customer.id, {"invoice_settings": {"default_payment_method": foreign.id}}
        )
