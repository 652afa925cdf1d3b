"""Where the tax depends on the country, nothing is charged before an address tells it, and rates follow the address."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.billing_details import AMSTERDAM, act_in_portal, amounts, details, portal_url, update, updated
from tests.support.client import eventually
from tests.support.previews import preview
from tests.support.running_backend import CATALOGS, Person, RunningBackend, running_backend
from tests.support.subscribing import (
    change_plan,
    codes,
    customer_of,
    open_page,
    stripe_subscriptions,
    subscribe,
    subscription,
)

_ONE_RATE = 'rates = [{ name = "VAT", percent = "21" }]'
_BERLIN = {"line1": "Straße 1", "city": "Berlin", "country": "DE"}


@pytest_asyncio.fixture(scope="module")
async def by_country(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningBackend]:
    """The product with 19 % of tax in Germany and 21 % elsewhere."""
    written = (CATALOGS / "analytics.toml").read_text()
    assert _ONE_RATE in written
    two = 'rates = [{ name = "VAT", percent = "21" }, { name = "MwSt", percent = "19", country = "DE" }]'
    catalog: Path = tmp_path_factory.mktemp("catalogs") / "by_country"
    catalog.with_suffix(".toml").write_text(written.replace(_ONE_RATE, two))
    async with running_backend(server_url, str(catalog)) as running:
        yield running


async def _in_berlin(backend: RunningBackend) -> Person:
    person = await backend.sign_up()
    await updated(backend, person, address=_BERLIN)
    return person


async def test_nothing_is_begun_without_an_address(by_country: RunningBackend) -> None:
    backend, person = by_country, await by_country.sign_up()
    assert codes(await open_page(backend, person, "personal")) == ["BILLING_ADDRESS_REQUIRED"]
    assert codes(await backend.recharge(person)) == ["BILLING_ADDRESS_REQUIRED"]
    await backend.add_card(person)
    assert codes(await backend.recharge(person)) == ["BILLING_ADDRESS_REQUIRED"]
    assert codes(await preview(backend, person, planCode="team", interval="MONTH")) == ["BILLING_ADDRESS_REQUIRED"]
    assert await backend.stripe_invoices(person) == []


async def test_with_an_address_its_country_s_rate_is_charged(by_country: RunningBackend) -> None:
    backend, person = by_country, await _in_berlin(by_country)
    await backend.add_card(person)
    # 5.00 with 19 % within: 4.20 and 0.80
    assert amounts((await backend.recharge(person))["invoice"]) == ("5.00", "0.80", "5.00")
    await updated(backend, person, address=AMSTERDAM)
    assert amounts((await backend.recharge(person))["invoice"]) == ("5.00", "0.87", "5.00")


async def test_an_address_given_in_the_portal_counts(by_country: RunningBackend) -> None:
    backend, person = by_country, await by_country.sign_up()
    url = await portal_url(backend, person)
    await backend.sandbox.deliver("hold")
    assert await act_in_portal(backend, url, "update_details", line1="Straße 1", country="DE") == 303
    assert codes(await open_page(backend, person, "personal")) == []
    await backend.sandbox.restore()


async def test_an_upgrade_waits_for_an_address_that_was_removed_at_stripe(by_country: RunningBackend) -> None:
    backend, person = by_country, await _in_berlin(by_country)
    await subscribe(backend, person, "personal")
    await updated(backend, person, address=_BERLIN)
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", address="")

    async def is_gone() -> bool:
        return (await details(backend, person))["address"] is None

    await eventually(is_gone)
    assert codes(await change_plan(backend, person, "team", seats=2)) == ["BILLING_ADDRESS_REQUIRED"]
    assert (await subscription(backend, person))["plan"]["code"] == "personal"
    await updated(backend, person, address=_BERLIN)
    assert codes(await change_plan(backend, person, "team", seats=2)) == []


async def test_under_a_paid_plan_the_address_can_be_changed_and_not_cleared(by_country: RunningBackend) -> None:
    backend, person = by_country, await _in_berlin(by_country)
    await subscribe(backend, person, "personal")
    refused = await update(backend, person, address=None)
    assert codes(refused) == ["BILLING_ADDRESS_REQUIRED"]
    assert refused["userErrors"][0]["path"] == ["input", "address"]
    await updated(backend, person, address=_BERLIN)


async def test_a_subscription_is_taxed_at_the_rate_of_where_its_customer_moves(by_country: RunningBackend) -> None:
    backend, person = by_country, await _in_berlin(by_country)
    await subscribe(backend, person, "personal")

    async def rate_is(percent: float) -> bool:
        [stripe] = await stripe_subscriptions(backend, person)
        return [rate["percentage"] for rate in stripe["default_tax_rates"]] == [percent]

    # the form of the page sends an address in the Netherlands, which becomes the customer's
    await eventually(lambda: rate_is(21.0))
    await updated(backend, person, address=_BERLIN)
    await eventually(lambda: rate_is(19.0))
