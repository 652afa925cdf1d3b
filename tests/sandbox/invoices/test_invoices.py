"""Invoices: which can be changed, deleted, paid and found."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import customer_with_card, new_customer, open_invoice


async def test_only_drafts_are_edited_and_deleted(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    invoice = await open_invoice(client, customer.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": invoice.id, "amount": 1})
    assert refused.value.code == "invoice_not_editable"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.delete_async(invoice.id)
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    await client.v1.invoices.delete_async(draft.id)
    assert (await client.v1.invoices.retrieve_async(draft.id)).deleted is True


async def test_a_draft_cannot_be_paid(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.pay_async(draft.id)


async def test_an_invoice_is_found_by_its_payment(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})
    charge = (await client.v1.charges.list_async({"customer": customer.id})).data[0]
    assert isinstance(charge.payment_intent, str)
    found = await client.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": charge.payment_intent}}
    )
    assert [payment.invoice for payment in found.data] == [invoice.id]
