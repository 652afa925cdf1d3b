"""The hosted invoice page."""

from __future__ import annotations

import httpx
import stripe

from tests.sandbox.factories import customer_with_card, open_invoice


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
