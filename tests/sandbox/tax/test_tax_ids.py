"""The tax ids of customers."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import refusal


async def test_tax_ids_are_created_expanded_and_deleted_with_their_customer(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    tax_id = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "NL123456789B01"})
    assert tax_id.country == "NL"
    expanded = await client.v1.customers.retrieve_async(customer.id, {"expand": ["tax_ids"]})
    assert expanded.tax_ids is not None
    assert [entry.id for entry in expanded.tax_ids.data] == [tax_id.id]
    await client.v1.customers.tax_ids.delete_async(customer.id, tax_id.id)
    assert (await client.v1.customers.tax_ids.list_async(customer.id)).data == []


@pytest.mark.parametrize("value", ["nope", "US123456789", "NL", "DE12345678901234"])
async def test_a_number_that_no_member_state_gives_is_refused(client: stripe.StripeClient, value: str) -> None:
    customer = await new_customer(client)
    call = client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": value})
    assert await refusal(call, "Invalid value for eu_vat") == (400, "tax_id_invalid", "value")
