"""The parameter `metadata`."""

from __future__ import annotations

import stripe

from tests.sandbox.factories import new_customer


async def test_metadata_is_merged_and_empty_values_remove_keys(client: stripe.StripeClient) -> None:
    customer = await new_customer(client, metadata={"a": "1", "b": "2"})
    updated = await client.v1.customers.update_async(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"b": "2", "c": "3"}
    cleared = await client.v1.customers.update_async(customer.id, {"metadata": ""})
    assert cleared.metadata is not None
    assert cleared.metadata.to_dict() == {}
