"""Prices."""

from __future__ import annotations

from typing import Any

import pytest
import stripe


async def test_a_lookup_key_finds_its_price_and_can_be_transferred(client: stripe.StripeClient) -> None:
    product = await client.v1.products.create_async({"name": "Pack"})
    key = f"pack-{product.id}"
    form: Any = {"product": product.id, "currency": "eur", "unit_amount": 500, "lookup_key": key}
    first = await client.v1.prices.create_async(form)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.prices.create_async(form)
    moved: Any = form | {"unit_amount": 600, "transfer_lookup_key": True}
    second = await client.v1.prices.create_async(moved)
    found = await client.v1.prices.list_async({"lookup_keys": [key], "expand": ["data.product"]})
    assert [price.id for price in found.data] == [second.id]
    assert isinstance(found.data[0].product, stripe.Product)
    assert (await client.v1.prices.retrieve_async(first.id)).lookup_key is None
