"""Finalizing an invoice."""

from __future__ import annotations

import httpx
import stripe

from tests.sandbox.factories import customer_with_card, new_customer, open_invoice


async def test_invoice_numbers_count_up_for_each_customer(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    numbers = [(await open_invoice(client, customer.id)).number for _ in range(2)]
    assert numbers == [f"{customer.invoice_prefix}-0001", f"{customer.invoice_prefix}-0002"]


async def test_an_amount_below_the_minimum_charge_is_paid_and_stays_in_the_balance(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    invoice = await open_invoice(client, customer.id, 49)
    assert (invoice.status, invoice.amount_paid, invoice.ending_balance) == ("paid", 0, 49)
    assert (await open_invoice(client, customer.id, 100)).amount_due == 149


async def test_an_invoice_with_auto_advance_is_finalized_and_paid_as_time_goes_by(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur", "auto_advance": True})
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 900})
    await web.post("/_sandbox/clock", json={"advance_seconds": 3601})
    assert (await client.v1.invoices.retrieve_async(draft.id)).status == "open"
    await web.post("/_sandbox/clock", json={"advance_seconds": 3601})
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert after.status == "paid"
    assert after.status_transitions.paid_at == after.created + 7200
