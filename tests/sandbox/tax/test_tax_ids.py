"""The tax ids of customers."""

from __future__ import annotations

import stripe

from tests.sandbox.factories import new_customer


async def test_tax_ids_are_created_expanded_and_deleted_with_their_customer(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    tax_id = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "NL123456789B01"})
    assert tax_id.country == "NL"
    expanded = await client.v1.customers.retrieve_async(customer.id, {"expand": ["tax_ids"]})
    assert expanded.tax_ids is not None
    assert [entry.id for entry in expanded.tax_ids.data] == [tax_id.id]
    await client.v1.customers.tax_ids.delete_async(customer.id, tax_id.id)
    assert (await client.v1.customers.tax_ids.list_async(customer.id)).data == []
