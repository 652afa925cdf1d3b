"""Addresses, exemption and tax ids through the gateway."""

from __future__ import annotations

import httpx
import pytest
import stripe

from app.payments.billing_detail_values import Address, TaxExemption, TaxIdStatus
from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, InvalidTaxId, MissingObject
from app.payments.subscription_values import PricedQuantity
from tests.payments.changes import new_key, new_tax_rate
from tests.sandbox.factories import new_customer
from tests.sandbox.subscriptions.subscribing import new_price

_NUMBER = "DE123456789"


async def test_an_address_is_set_replaced_whole_and_removed(gateway: Gateway, client: stripe.StripeClient) -> None:
    customer = (await new_customer(client)).id
    full = Address("DE", "Street 1", "c/o Ada", "10115", "Berlin", "BE")

    for address in (full, Address("NL", "Street 2"), None):
        await gateway.set_address(customer, address)
        assert (await gateway.billing_details(customer)).address == address


async def test_an_exemption_is_set_and_lifted_and_counts_in_the_next_preview(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    customer = (await new_customer(client)).id
    rate = await new_tax_rate(client, 10)
    items = [PricedQuantity(await new_price(client, 10000), 1)]
    assert (await gateway.billing_details(customer)).exemption is TaxExemption.NONE

    for exemption, due in ((TaxExemption.REVERSE, 9091), (TaxExemption.EXEMPT, 9091), (TaxExemption.NONE, 10000)):
        await gateway.set_exemption(customer, exemption)
        assert (await gateway.billing_details(customer)).exemption is exemption
        assert (await gateway.preview_start(customer, items, tax_rate_ids=[rate])).due_minor == due


async def test_a_tax_id_is_pending_until_the_tax_office_has_answered(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = (await new_customer(client)).id
    made = await gateway.create_tax_id(customer, kind="eu_vat", value=_NUMBER, key=new_key())
    assert (made.kind, made.value, made.country, made.status) == ("eu_vat", _NUMBER, "DE", TaxIdStatus.PENDING)

    for status in (TaxIdStatus.VERIFIED, TaxIdStatus.UNAVAILABLE, TaxIdStatus.UNVERIFIED):
        answer = {"status": status.lower(), "verified_name": "Ada GmbH"}
        (await web.post(f"/_sandbox/tax_ids/{made.id}", json=answer)).raise_for_status()
        [found] = await gateway.tax_ids(customer)
        assert (found.id, found.status, found.verified_name) == (made.id, status, "Ada GmbH")


async def test_tax_ids_are_listed_oldest_first_and_deleted_once(gateway: Gateway, client: stripe.StripeClient) -> None:
    customer = (await new_customer(client)).id
    key = new_key()
    first = await gateway.create_tax_id(customer, kind="eu_vat", value=_NUMBER, key=key)
    assert await gateway.create_tax_id(customer, kind="eu_vat", value=_NUMBER, key=key) == first
    second = await gateway.create_tax_id(customer, kind="gb_vat", value="GB123456789", key=new_key())
    assert await gateway.tax_ids(customer) == [first, second]

    await gateway.delete_tax_id(customer, first.id)
    await gateway.delete_tax_id(customer, first.id)

    assert await gateway.tax_ids(customer) == [second]


@pytest.mark.parametrize("value", ["XX1", "not a number!"])
async def test_a_text_that_is_no_tax_id_is_refused_as_such(
    gateway: Gateway, client: stripe.StripeClient, value: str
) -> None:
    customer = (await new_customer(client)).id

    with pytest.raises(InvalidTaxId):
        await gateway.create_tax_id(customer, kind="eu_vat", value=value, key=new_key())
    with pytest.raises(GatewayRefused) as unknown:
        await gateway.create_tax_id(customer, kind="no_such_kind", value=value, key=new_key())
    assert not isinstance(unknown.value, InvalidTaxId)


async def test_a_deleted_customer_has_no_details(gateway: Gateway, client: stripe.StripeClient) -> None:
    customer = (await new_customer(client)).id
    await client.v1.customers.delete_async(customer)

    with pytest.raises(GatewayMissing) as missing:
        await gateway.billing_details(customer)

    assert missing.value.kind is MissingObject.CUSTOMER
    with pytest.raises(GatewayMissing):
        await gateway.set_address(customer, None)
