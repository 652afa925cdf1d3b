"""Archived prices, products and tax rates."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import stripe

from tests.sandbox.event_types import event_types, previous_attributes
from tests.sandbox.factories import new_customer, open_session
from tests.sandbox.refusals import refusal


async def new_price(client: stripe.StripeClient) -> stripe.Price:
    product = await client.v1.products.create_async({"name": "Pack"})
    return await client.v1.prices.create_async({"currency": "eur", "unit_amount": 500, "product": product.id})


async def sales(client: stripe.StripeClient, price: stripe.Price) -> dict[str, Awaitable[object]]:
    """Return what would sell a price, by the parameter that names it."""
    customer = await new_customer(client)
    return {
        "pricing[price]": client.v1.invoice_items.create_async(
            {"customer": customer.id, "pricing": {"price": price.id}}
        ),
        "line_items[0][price]": open_session(client, line_items=[{"price": price.id, "quantity": 1}]),
    }


async def test_an_archived_price_is_not_sold(client: stripe.StripeClient) -> None:
    price = await new_price(client)
    await client.v1.prices.update_async(price.id, {"active": False})
    for param, sale in (await sales(client, price)).items():
        assert await refusal(sale, "The price specified is inactive") == (400, None, param)
    await client.v1.prices.update_async(price.id, {"active": True})
    for sale in (await sales(client, price)).values():
        await sale


async def test_no_price_of_an_archived_product_is_sold(client: stripe.StripeClient) -> None:
    price = await new_price(client)
    await client.v1.products.update_async(str(price.product), {"active": False})
    for param, sale in (await sales(client, price)).items():
        assert await refusal(sale, "is marked as inactive") == (400, None, param)
    price_data: Any = {"currency": "eur", "unit_amount": 500, "product": price.product}
    customer = await new_customer(client)
    by_price_data = {
        "price_data[product]": client.v1.invoice_items.create_async(
            {"customer": customer.id, "price_data": price_data}
        ),
        "line_items[0][price_data][product]": open_session(client, line_items=[{"price_data": price_data}]),
    }
    for param, sale in by_price_data.items():
        assert await refusal(sale, "is marked as inactive") == (400, None, param)


async def test_a_page_that_is_open_when_its_price_is_archived_can_still_be_paid(
    client: stripe.StripeClient, web: Any
) -> None:
    price = await new_price(client)
    session = await open_session(client, line_items=[{"price": price.id, "quantity": 1}])
    await client.v1.prices.update_async(price.id, {"active": False})
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == "paid"


async def test_an_archived_tax_rate_is_not_used_for_anything_new(client: stripe.StripeClient) -> None:
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 10})
    customer = await new_customer(client)
    draft = await client.v1.invoices.create_async(
        {"customer": customer.id, "currency": "eur", "default_tax_rates": [rate.id]}
    )
    await client.v1.tax_rates.update_async(rate.id, {"active": False})
    price_data: Any = {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Pack"}}
    calls = [
        client.v1.invoices.create_async({"customer": customer.id, "default_tax_rates": [rate.id]}),
        client.v1.invoice_items.create_async(
            {"customer": customer.id, "amount": 100, "currency": "eur", "tax_rates": [rate.id]}
        ),
        open_session(client, line_items=[{"price_data": price_data, "tax_rates": [rate.id]}]),
    ]
    for call in calls:
        assert (await refusal(call, "archived")).status == 400
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 1100})
    assert (await client.v1.invoices.finalize_invoice_async(draft.id)).total_excluding_tax == 1000


async def test_archiving_tells_what_was_before(client: stripe.StripeClient) -> None:
    price = await new_price(client)
    await client.v1.prices.update_async(price.id, {"active": False})
    await client.v1.products.update_async(str(price.product), {"active": False})
    assert await previous_attributes(client, "price.updated", price.id) == {"active": True}
    assert (await previous_attributes(client, "product.updated", str(price.product)))["active"] is True


async def test_a_product_is_deleted_only_while_it_has_no_prices(client: stripe.StripeClient) -> None:
    price = await new_price(client)
    assert (await refusal(client.v1.products.delete_async(str(price.product)), "user-created prices")).status == 400
    empty = await client.v1.products.create_async({"name": "Nothing"})
    assert (await client.v1.products.delete_async(empty.id)).deleted is True
    assert (await event_types(client, empty.id))[-1] == "product.deleted"
    assert (await refusal(client.v1.products.retrieve_async(empty.id))).status == 404


async def test_a_price_needs_an_amount_that_can_be_counted(client: stripe.StripeClient) -> None:
    product = await client.v1.products.create_async({"name": "Pack"})
    wrong: list[Any] = [
        {"unit_amount": -1},
        {"unit_amount_decimal": "0.0000000000001"},
        {"unit_amount_decimal": "1E+999999"},
        {},
    ]
    for amounts in wrong:
        form: Any = {"currency": "eur", "product": product.id, **amounts}
        assert (await refusal(client.v1.prices.create_async(form))).status == 400
