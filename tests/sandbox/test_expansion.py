"""Fields filled in by `expand`."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import confirmed_intent, customer_with_card, open_invoice


async def test_identifiers_are_expanded_through_several_levels(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
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


@pytest.mark.parametrize("path", ["nothing", "amount.currency", "customer.nothing.deeper"])
async def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient, path: str) -> None:
    intent = await confirmed_intent(client)
    if path.startswith("customer"):
        assert (await client.v1.payment_intents.retrieve_async(intent.id, {"expand": [path]})).customer is None
        return
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await client.v1.payment_intents.retrieve_async(intent.id, {"expand": [path]})
