"""Payment methods."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.factories import customer_with_card


async def test_a_detached_card_is_not_the_default_and_cannot_be_used_again(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_mastercard")
    await client.v1.payment_methods.detach_async(method.id)
    after = await client.v1.customers.retrieve_async(customer.id)
    assert after.invoice_settings is not None
    assert after.invoice_settings.default_payment_method is None
    assert (await client.v1.customers.payment_methods.list_async(customer.id)).data == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await client.v1.payment_methods.attach_async(method.id, {"customer": customer.id})
