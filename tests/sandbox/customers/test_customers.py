"""Customers."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.event_types import previous_attributes
from tests.sandbox.factories import customer_with_card, new_customer, open_invoice
from tests.sandbox.refusals import refusal


async def test_a_deleted_customer_can_be_retrieved_but_not_changed_and_has_no_cards(
    client: stripe.StripeClient,
) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    await client.v1.customers.delete_async(customer.id)
    remainder = await client.v1.customers.retrieve_async(customer.id)
    assert remainder.deleted is True
    assert (await client.v1.payment_methods.retrieve_async(method.id)).customer is None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.customers.update_async(customer.id, {"name": "x"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_the_default_card_must_be_attached_to_the_customer(client: stripe.StripeClient) -> None:
    _, foreign = await customer_with_card(client, "pm_card_visa")
    customer = await new_customer(client)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.update_async(
            customer.id, {"invoice_settings": {"default_payment_method": foreign.id}}
        )


async def test_a_changed_customer_tells_what_was_before(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    assert await previous_attributes(client, "customer.updated", customer.id) == {
        "invoice_settings": {"default_payment_method": None}
    }
    await client.v1.customers.update_async(
        customer.id,
        {"email": "new@example.com", "name": "Ada Lovelace", "tax_exempt": "reverse", "metadata": {"a": "1"}},
    )
    assert await previous_attributes(client, "customer.updated", customer.id) == {
        "email": "ada@example.com",
        "name": "Ada",
        "tax_exempt": "none",
        "metadata": {"a": None},
    }
    await client.v1.payment_methods.detach_async(method.id)
    assert await previous_attributes(client, "customer.updated", customer.id) == {
        "invoice_settings": {"default_payment_method": method.id}
    }


async def test_an_empty_text_unsets_what_a_customer_is_called_and_mailed_at(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    changed = await client.v1.customers.update_async(customer.id, {"email": "", "name": ""})
    assert (changed.email, changed.name) == (None, None)


async def test_drafts_follow_their_customer_and_finalized_invoices_do_not(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    finalized = await open_invoice(client, customer.id)
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 10})
    await client.v1.invoice_items.create_async(
        {"customer": customer.id, "invoice": draft.id, "amount": 10_000, "tax_rates": [rate.id]}
    )
    await client.v1.customers.update_async(customer.id, {"email": "new@example.com", "tax_exempt": "exempt"})
    followed = await client.v1.invoices.retrieve_async(draft.id)
    assert (followed.customer_email, followed.customer_tax_exempt, followed.total) == (
        "new@example.com",
        "exempt",
        9091,
    )
    told = await previous_attributes(client, "invoice.updated", draft.id)
    assert (told["customer_email"], told["total"]) == ("ada@example.com", 10_000)
    assert (await client.v1.invoices.retrieve_async(finalized.id)).customer_email == "ada@example.com"


async def test_what_stripe_can_not_keep_of_a_customer_is_refused(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    wrong: dict[str, Any] = {
        "address[country]": {"address": {"country": "Germany"}},
        "name": {"name": "x" * 257},
        "balance": {"balance": 100_000_000},
        "tax_exempt": {"tax_exempt": "yes"},
    }
    for param, change in wrong.items():
        for call in (client.v1.customers.create_async(change), client.v1.customers.update_async(customer.id, change)):
            refused = await refusal(call)
            assert (refused.status, refused.param) == (400, param)
