"""The tax ids of customers."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import refusal


async def test_tax_ids_are_created_expanded_and_deleted_with_their_customer(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    tax_id = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "NL123456789B01"})
    assert tax_id.country == "NL"
    expanded = await client.v1.customers.retrieve_async(customer.id, {"expand": ["tax_ids"]})
    assert expanded.tax_ids is not None
    assert [entry.id for entry in expanded.tax_ids.data] == [tax_id.id]
    await client.v1.customers.tax_ids.delete_async(customer.id, tax_id.id)
    assert (await client.v1.customers.tax_ids.list_async(customer.id)).data == []


@pytest.mark.parametrize("value", ["nope", "US123456789", "NL", "DE12345678901234"])
async def test_a_number_that_no_member_state_gives_is_refused(client: stripe.StripeClient, value: str) -> None:
    customer = await new_customer(client)
    call = client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": value})
    assert await refusal(call, "Invalid value for eu_vat") == (400, "tax_id_invalid", "value")


async def test_a_tax_id_is_verified_later_as_the_controls_say(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    tax_id = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "NL123456789B01"})
    assert tax_id.verification is not None
    assert tax_id.verification.status == "pending"
    decided = {"status": "verified", "verified_name": "ADA B.V."}
    assert (await web.post(f"/_sandbox/tax_ids/{tax_id.id}", json=decided)).status_code == 200

    verified = await client.v1.customers.tax_ids.retrieve_async(customer.id, tax_id.id)
    assert verified.verification is not None
    assert (verified.verification.status, verified.verification.verified_name) == ("verified", "ADA B.V.")
    assert await event_types(client, tax_id.id) == ["customer.tax_id.created", "customer.tax_id.updated"]
    assert (await web.post(f"/_sandbox/tax_ids/{tax_id.id}", json={"status": "fine"})).status_code == 400


async def test_numbers_of_stripes_test_mode_are_verified_by_themselves(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    good = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "DE000000000"})
    bad = await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "DE111111111"})
    await web.post("/_sandbox/clock", json={"advance_seconds": 61})
    for tax_id, status in ((good, "verified"), (bad, "unverified")):
        found = await client.v1.customers.tax_ids.retrieve_async(customer.id, tax_id.id)
        assert found.verification is not None
        assert found.verification.status == status
