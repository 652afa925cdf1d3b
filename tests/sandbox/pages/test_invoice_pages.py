"""The hosted invoice page."""

from __future__ import annotations

from typing import Any

import httpx
import stripe

from tests.sandbox.factories import customer_with_card, open_invoice
from tests.sandbox.subscriptions.subscribing import latest_invoice, subscribe
from tests.support.pdf_text import pdf_text


async def test_an_open_invoice_can_be_read_and_paid_and_has_a_pdf(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    await client.v1.customers.update_async(customer.id, {"name": "<Ada & Söhne>"})
    invoice = await open_invoice(client, customer.id, 121000)
    page = await web.get(str(invoice.hosted_invoice_url))
    assert str(invoice.number) in page.text
    assert "1,210.00 EUR" in page.text
    assert "&lt;Ada &amp; Söhne&gt;" in page.text
    paid = await web.post(str(invoice.hosted_invoice_url))
    assert "Status: paid" in paid.text
    pdf = await web.get(str(invoice.invoice_pdf))
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    wrong = await web.get(f"/invoices/{invoice.id}/wrong")
    assert wrong.status_code == 404


async def test_page_and_pdf_say_number_seller_buyer_lines_tax_and_total(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    coupon = await client.v1.coupons.create_async({"percent_off": 50, "duration": "forever"})
    subscription = await subscribe(client, 1210, quantity=3, default_tax_rates=[rate.id])
    address: Any = {"line1": "Damrak 1", "city": "Amsterdam", "country": "NL"}
    await client.v1.customers.update_async(str(subscription.customer), {"address": address})
    await client.v1.customers.tax_ids.create_async(
        str(subscription.customer), {"type": "eu_vat", "value": "NL123456789B01"}
    )
    items: Any = [{"id": subscription["items"].data[0].id, "quantity": 5}]
    await client.v1.subscriptions.update_async(
        subscription.id,
        {
            "items": items,
            "discounts": [{"coupon": coupon.id}],
            "billing_cycle_anchor": {"type": "now"},
            "proration_behavior": "always_invoice",
        },
    )
    invoice = await latest_invoice(client, subscription)
    page = (await web.get(str(invoice.hosted_invoice_url))).text
    texts = pdf_text((await web.get(str(invoice.invoice_pdf))).content)
    whole = " ".join(texts)

    assert texts[0] == f"Invoice {invoice.number}"
    for shown in ("Counterfoil Sandbox", "Ada", "ada@example.com", "Damrak 1, Amsterdam, NL", "eu_vat NL123456789B01"):
        assert shown in page
        assert shown in texts
    for name in ("Subtotal", "Discount", "VAT 21% (inclusive)", "Total", "Amount due", "Amount paid"):
        assert name in page
        assert name in texts
    assert f"{invoice.total / 100:,.2f} EUR" in whole
    assert all((line.description or "") in whole for line in invoice.lines.data)


async def test_a_long_invoice_has_all_its_lines_in_its_pdf(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    names = [f"Item {number} " + "with a long name " * 6 for number in range(60)]
    for name in names:
        params: Any = {"customer": customer.id, "invoice": draft.id, "amount": 100, "currency": "eur"}
        await client.v1.invoice_items.create_async(params | {"description": name})
    invoice = await client.v1.invoices.finalize_invoice_async(draft.id)

    whole = " ".join(pdf_text((await web.get(str(invoice.invoice_pdf))).content))

    assert all(f"Item {number} with" in whole for number in range(60))
    assert whole.count("with a long name") == 6 * 60
