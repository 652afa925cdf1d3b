"""Calling off an invoice."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.event_types import event_types, previous_attributes
from tests.sandbox.factories import customer_with_card, new_customer, open_invoice
from tests.sandbox.invoices.expanded_intents import EXPAND_INTENT, intent_of
from tests.sandbox.refusals import refusal


async def test_voiding_cancels_the_payment_intent_and_the_invoice_cannot_be_paid(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    voided = await client.v1.invoices.void_invoice_async(invoice.id, {"expand": EXPAND_INTENT})
    assert voided.status == "void"
    assert intent_of(voided).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})


async def test_credit_of_the_customer_is_used_first_and_given_back_by_voiding(client: stripe.StripeClient) -> None:
    customer = await new_customer(client, balance=-300)
    invoice = await open_invoice(client, customer.id)
    assert (invoice.starting_balance, invoice.ending_balance, invoice.amount_due) == (-300, 0, 700)
    await client.v1.invoices.void_invoice_async(invoice.id)
    assert (await client.v1.customers.retrieve_async(customer.id)).balance == -300


async def test_an_uncollectible_invoice_can_still_be_paid(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    given_up = await client.v1.invoices.mark_uncollectible_async(invoice.id)
    assert (given_up.status, given_up.amount_remaining) == ("uncollectible", 1000)
    assert given_up.status_transitions.marked_uncollectible_at is not None
    assert given_up.status_details is not None
    assert given_up.status_details.uncollectible is not None
    assert given_up.status_details.uncollectible.reason == "user_forgiven"
    assert (await event_types(client, invoice.id))[-2:] == ["invoice.updated", "invoice.marked_uncollectible"]
    assert (await previous_attributes(client, "invoice.updated", invoice.id))["status"] == "open"
    await refusal(client.v1.invoices.mark_uncollectible_async(invoice.id), "already been marked uncollectible")
    assert (await client.v1.invoices.pay_async(invoice.id)).status == "paid"


async def test_only_an_open_invoice_is_called_off(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    paid = await open_invoice(client, customer.id)
    await client.v1.invoices.pay_async(paid.id)
    void, uncollectible = [await open_invoice(client, customer.id) for _ in range(2)]
    await client.v1.invoices.void_invoice_async(void.id)
    assert (await event_types(client, void.id))[-2:] == ["invoice.updated", "invoice.voided"]
    await client.v1.invoices.mark_uncollectible_async(uncollectible.id)
    for invoice in (draft, void, uncollectible):
        await refusal(client.v1.invoices.void_invoice_async(invoice.id), "This invoice isn't open")
    for invoice in (draft, void, paid):
        await refusal(client.v1.invoices.mark_uncollectible_async(invoice.id), "This invoice isn't open")
    await refusal(client.v1.invoices.void_invoice_async(paid.id), "`paid` payments cannot be voided")
    await refusal(client.v1.invoices.pay_async(void.id, {"paid_out_of_band": True}), "This invoice isn't open")
