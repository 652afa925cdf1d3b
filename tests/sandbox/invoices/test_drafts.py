"""Draft invoices and their items."""

from __future__ import annotations

import stripe

from tests.sandbox.factories import new_customer


async def test_a_line_is_taxed_by_its_own_rates_or_else_those_of_the_invoice(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    inclusive = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    exclusive = await client.v1.tax_rates.create_async(
        {"display_name": "Sales tax", "inclusive": False, "percentage": 8.875}
    )
    draft = await client.v1.invoices.create_async(
        {"customer": customer.id, "currency": "eur", "default_tax_rates": [inclusive.id]}
    )
    product = await client.v1.products.create_async({"name": "Standard pack"})
    price = await client.v1.prices.create_async({"product": product.id, "currency": "eur", "unit_amount": 500})
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 1000})
    await client.v1.invoice_items.create_async(
        {
            "customer": customer.id,
            "invoice": draft.id,
            "pricing": {"price": price.id},
            "quantity": 2,
            "tax_rates": [exclusive.id],
        }
    )
    invoice = await client.v1.invoices.finalize_invoice_async(draft.id)
    assert [line.amount for line in invoice.lines.data] == [1000, 1000]
    assert [line.description for line in invoice.lines.data] == [None, "Standard pack"]
    assert invoice.total_taxes is not None
    assert [(tax.amount, tax.tax_behavior) for tax in invoice.total_taxes] == [(174, "inclusive"), (89, "exclusive")]
    assert (invoice.subtotal, invoice.total, invoice.amount_due) == (2000, 2089, 2089)
    assert invoice.total_excluding_tax == 1826
    pricing = invoice.lines.data[1].pricing
    assert pricing is not None
    assert pricing.price_details is not None
    assert (pricing.price_details.price, pricing.price_details.product) == (price.id, product.id)


async def test_pending_items_are_billed_by_the_next_invoice_that_includes_them(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    await client.v1.invoice_items.create_async({"customer": customer.id, "amount": 700, "currency": "eur"})
    without = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    included = await client.v1.invoices.create_async(
        {"customer": customer.id, "currency": "eur", "pending_invoice_items_behavior": "include"}
    )
    assert (without.total, included.total) == (0, 700)
