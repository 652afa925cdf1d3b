"""Pages of lists, and the fields filled in on demand."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.scenes import customer_with, new_customer, open_invoice, paid_intent


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
async def test_a_page_that_cannot_be_is_refused(client: stripe.StripeClient, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.list_async(wrong)


async def test_lists_are_filtered_by_time(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    email = f"{customer.id}@example.com"
    await client.v1.customers.update_async(customer.id, {"email": email})
    for created, found in ((customer.created, 1), ({"gte": customer.created}, 1), ({"gt": customer.created}, 0)):
        page = await client.v1.customers.list_async({"email": email, "created": created})  # pyright: ignore[reportArgumentType]
        assert len(page.data) == found


async def test_prices_are_found_by_lookup_key_which_can_move_on(client: stripe.StripeClient) -> None:
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


async def test_references_are_expanded_through_several_levels(client: stripe.StripeClient) -> None:
    customer, method = await customer_with(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})
    page = await client.v1.invoices.list_async(
        {"customer": customer.id, "expand": ["data.customer", "data.payments.data.payment.payment_intent"]}
    )
    assert isinstance(page.data[0].customer, stripe.Customer)
    assert page.data[0].payments is not None
    intent = page.data[0].payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert intent.status == "succeeded"


async def test_an_invoice_is_found_by_its_payment(client: stripe.StripeClient) -> None:
    customer, method = await customer_with(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})
    charge = (await client.v1.charges.list_async({"customer": customer.id})).data[0]
    assert isinstance(charge.payment_intent, str)
    found = await client.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": charge.payment_intent}}
    )
    assert [payment.invoice for payment in found.data] == [invoice.id]


@pytest.mark.parametrize("path", ["nothing", "amount.currency", "customer.nothing.deeper"])
async def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient, path: str) -> None:
    intent = await paid_intent(client)
    if path.startswith("customer"):
        assert (await client.v1.payment_intents.retrieve_async(intent.id, {"expand": [path]})).customer is None
        return
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await client.v1.payment_intents.retrieve_async(intent.id, {"expand": [path]})


async def test_what_only_the_sandbox_knows_is_never_shown(client: stripe.StripeClient) -> None:
    _, method = await customer_with(client, "pm_card_visa")
    events = await client.v1.events.list_async({"limit": 20})
    assert '"_card"' not in str(method)
    assert '"_card"' not in str(events)
