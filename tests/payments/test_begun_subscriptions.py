"""Subscriptions that are begun on the card on file, and what cards paid for them, through the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stripe

from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayDeclined
from app.payments.gateway_values import RefundStatus
from app.payments.subscription_values import PricedQuantity, ProviderSubscription, SubscriptionStatus
from tests.payments.changes import new_key, new_tax_rate
from tests.sandbox.factories import new_customer
from tests.sandbox.subscriptions.subscribing import new_price

_METADATA: Mapping[str, str] = {"terms_id": "team-1"}


async def _card(client: stripe.StripeClient, customer_id: str, card: str) -> str:
    attached = await client.v1.payment_methods.attach_async(card, {"customer": customer_id})
    return attached.id


async def _begin(
    gateway: Gateway, client: stripe.StripeClient, *, card: str = "pm_card_visa", key: str | None = None, **more: Any
) -> ProviderSubscription:
    customer = await new_customer(client)
    price = await new_price(client, 1000)
    given: dict[str, Any] = {"tax_rate_ids": [], "ends_at": None, "metadata": _METADATA, **more}
    return await gateway.create_subscription(
        customer.id,
        [PricedQuantity(price, 2)],
        card_id=await _card(client, customer.id, card),
        key=key or new_key(),
        **given,
    )


async def test_it_is_paid_at_once_with_its_card_its_tax_its_terms_and_its_end(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    rate = await new_tax_rate(client, inclusive=False)
    plain = await _begin(gateway, client)
    ends_at = plain.items[0].period_end + timedelta(days=45)

    begun = await _begin(gateway, client, tax_rate_ids=[rate], ends_at=ends_at)

    stored = await client.v1.subscriptions.retrieve_async(begun.id)
    assert (begun.status, begun.ends_at, begun.metadata) == (SubscriptionStatus.ACTIVE, ends_at, _METADATA)
    assert begun.tax_rate_ids == (rate,)
    assert begun.default_card_id is not None
    assert stored.billing_mode.type == "flexible"
    [invoice] = await gateway.subscription_invoices(begun.id)
    assert invoice.amount_paid_minor == 2420


@pytest.mark.parametrize("card", ["pm_card_chargeCustomerFail", "pm_card_authenticationRequired"])
async def test_a_card_that_is_declined_or_asks_its_holder_leaves_nothing(
    gateway: Gateway, client: stripe.StripeClient, card: str
) -> None:
    customer = await new_customer(client)
    price = await new_price(client, 1000)

    with pytest.raises(GatewayDeclined):
        await gateway.create_subscription(
            customer.id,
            [PricedQuantity(price, 1)],
            card_id=await _card(client, customer.id, card),
            tax_rate_ids=[],
            metadata=_METADATA,
            ends_at=None,
            key=new_key(),
        )

    assert await gateway.find_subscriptions(customer.id) == []
    assert (await client.v1.invoices.list_async({"customer": customer.id})).data == []


async def test_what_is_left_of_the_payments_of_an_invoice_is_told_and_who_disputes_one(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    begun = await _begin(gateway, client)
    [invoice] = await gateway.subscription_invoices(begun.id)
    [paid] = await gateway.payments_of_invoice(invoice.id)
    assert (paid.left_minor, paid.is_disputed) == (2000, False)

    await gateway.refund(paid.id, amount_minor=300, metadata={"refund_id": "one"}, key=new_key())
    (await web.post("/_sandbox/disputes", json={"payment_intent": paid.id})).raise_for_status()

    [now] = await gateway.payments_of_invoice(invoice.id)
    assert (now.id, now.left_minor, now.is_disputed) == (paid.id, 1700, True)
    [refund] = await gateway.refunds_of_payment(paid.id)
    assert (refund.refund_id, refund.amount_minor, refund.status) == ("one", 300, RefundStatus.SUCCEEDED)
