"""The pages of lists."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.factories import new_customer


async def test_pages_go_forwards_and_backwards_without_gaps(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    made = [
        (await client.v1.invoice_items.create_async({"customer": customer.id, "amount": n, "currency": "eur"})).id
        for n in range(1, 6)
    ]
    newest_first = made[::-1]
    mine = {"customer": customer.id, "limit": 2}

    async def page(**cursor: Any) -> tuple[list[str], bool]:
        found = await client.v1.invoice_items.list_async({**mine, **cursor})  # pyright: ignore[reportArgumentType]
        return [item.id for item in found.data], found.has_more

    assert await page() == (newest_first[:2], True)
    assert await page(starting_after=newest_first[1]) == (newest_first[2:4], True)
    assert await page(starting_after=newest_first[3]) == (newest_first[4:], False)
    assert await page(ending_before=newest_first[4]) == (newest_first[2:4], True)
    assert await page(ending_before=newest_first[2]) == (newest_first[:2], False)
    whole = await client.v1.invoice_items.list_async({"customer": customer.id, "limit": 2})
    assert [item.id async for item in whole.auto_paging_iter()] == newest_first


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 101}, {"starting_after": "cus_none"}])
async def test_invalid_paging_parameters_are_refused(client: stripe.StripeClient, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.list_async(wrong)


async def test_lists_are_filtered_by_creation_time(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    email = f"{customer.id}@example.com"
    await client.v1.customers.update_async(customer.id, {"email": email})
    for created, found in ((customer.created, 1), ({"gte": customer.created}, 1), ({"gt": customer.created}, 0)):
        page = await client.v1.customers.list_async({"email": email, "created": created})  # pyright: ignore[reportArgumentType]
        assert len(page.data) == found
