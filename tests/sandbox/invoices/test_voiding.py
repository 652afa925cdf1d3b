"""Voiding an invoice."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import customer_with_card, new_customer, open_invoice
from tests.sandbox.invoices.expanded_intents import EXPAND_INTENT, intent_of


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
