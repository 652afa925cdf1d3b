"""What is sold is said in the catalog's file: what someone archives, changes or deletes at Stripe is brought back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.billing.subscriptions.kept_terms import find_terms
from app.catalog import BillingInterval, Catalog, Plan, PricePart, plan_prices, plan_terms, terms_prices
from app.db.reads import Reads
from app.flows.provider.catalog_sync import sync_catalog
from app.money import Money
from app.store import provider_events as provider_event_store
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend, running_backend

_KEY = {"authorization": "Bearer sk_test_sandbox"}


async def _price(backend: RunningBackend) -> dict[str, Any]:
    """Stripe's price of the pack that a test person buys."""
    code = backend.parts.runtime.catalog.packs[0].code
    prices = await backend.sandbox.listed("/v1/prices")
    [price] = [each for each in prices if f"-pack-{code}-" in (each["lookup_key"] or "")]
    return price


async def _rate(backend: RunningBackend) -> dict[str, Any]:
    rates = await backend.sandbox.listed("/v1/tax_rates", active="true")
    return next(each for each in rates if "-tax-all-" in each["metadata"].get("counterfoil_key", ""))


async def _archive_price(backend: RunningBackend) -> None:
    await backend.sandbox.post(f"/v1/prices/{(await _price(backend))['id']}", active="false")


async def _archive_product(backend: RunningBackend) -> None:
    await backend.sandbox.post(f"/v1/products/{(await _price(backend))['product']}", active="false")


async def _archive_tax_rate(backend: RunningBackend) -> None:
    await backend.sandbox.post(f"/v1/tax_rates/{(await _rate(backend))['id']}", active="false")


async def _archive_everything(backend: RunningBackend) -> None:
    await _archive_tax_rate(backend)
    await _archive_product(backend)
    await _archive_price(backend)


_ARCHIVES = pytest.mark.parametrize(
    "archive", [_archive_price, _archive_product, _archive_tax_rate, _archive_everything]
)


@_ARCHIVES
@pytest.mark.parametrize("has_card", [True, False])
async def test_a_purchase_brings_back_what_was_archived_though_no_event_tells_of_it(
    backend: RunningBackend, archive: Any, has_card: bool
) -> None:
    person = await backend.sign_up()
    if has_card:
        await backend.add_card(person)
    await backend.sandbox.deliver("drop")
    await archive(backend)

    payload = await backend.recharge(person)

    if has_card:
        assert (payload["userErrors"], payload["purchase"]["status"]) == ([], "SUCCEEDED")
        assert len(await backend.charges(person)) == 1
        [line] = (await backend.stripe_invoices(person))[0]["lines"]["data"]
        assert line["amount"] > 0
    else:
        assert [error["code"] for error in payload["userErrors"]] == ["PAYMENT_METHOD_REQUIRED"]
        assert payload["purchase"]["status"] == "PENDING"
    assert (await _price(backend))["active"]
    assert await _rate(backend)


@_ARCHIVES
async def test_what_was_archived_is_brought_back_when_stripe_reports_it(backend: RunningBackend, archive: Any) -> None:
    await archive(backend)

    async def is_back() -> bool:
        price = await _price(backend)
        products = await backend.sandbox.listed("/v1/products", active="true")
        rates = await backend.sandbox.listed("/v1/tax_rates", active="true")
        sells = price["product"] in [each["id"] for each in products]
        return price["active"] and sells and any("-tax-all-" in str(each["metadata"]) for each in rates)

    assert await eventually(is_back)


async def test_a_lookup_key_given_to_another_price_is_taken_back(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.deliver("drop")
    price = await _price(backend)
    changed = {"lookup_key": price["lookup_key"], "transfer_lookup_key": "true", "currency": "eur"}
    other = await backend.sandbox.post("/v1/prices", product=price["product"], unit_amount="1", **changed)
    await backend.sandbox.post(f"/v1/prices/{price['id']}", active="false")

    payload = await backend.recharge(person)

    now = await _price(backend)
    assert payload["userErrors"] == []
    assert now["id"] != other["id"]
    assert now["unit_amount"] == price["unit_amount"]


async def test_a_tax_rate_that_lost_our_key_gets_it_back(backend: RunningBackend) -> None:
    rate = await _rate(backend)
    await backend.sandbox.deliver("drop")
    await backend.sandbox.post(f"/v1/tax_rates/{rate['id']}", **{"metadata[counterfoil_key]": ""})

    await sync_catalog(backend.parts.flow_context)

    assert (await _rate(backend))["id"] == rate["id"]


@pytest_asyncio.fixture
async def own_compute(server_url: str) -> AsyncGenerator[RunningBackend]:
    """The whole product with `compute`, in which nobody has bought anything: a product with prices can't be deleted."""
    async with running_backend(server_url, "compute") as own:
        yield own


async def test_a_product_that_was_deleted_is_made_again_under_another_id(own_compute: RunningBackend) -> None:
    backend = own_compute
    person = await backend.sign_up()
    await backend.add_card(person)
    products = await backend.sandbox.listed("/v1/products")
    custom = [each["id"] for each in products if each["id"].startswith("compute-credits")]
    for product in custom:
        deleted = await backend.api.http.delete(f"{backend.sandbox.url}/v1/products/{product}", headers=_KEY)
        assert deleted.status_code == 200, deleted.text

    payload = await backend.recharge(person)

    assert (payload["userErrors"], payload["purchase"]["status"]) == ([], "SUCCEEDED")


async def test_a_sync_with_nothing_to_change_lists_and_writes_nothing(own_backend: RunningBackend) -> None:
    async with httpx.AsyncClient() as http:
        (await http.delete(f"{own_backend.sandbox.url}/_sandbox/requests")).raise_for_status()

    count = await sync_catalog(own_backend.parts.flow_context)

    reads = await own_backend.sandbox.requests("/v1/.*", method="GET")
    assert await own_backend.sandbox.requests("/v1/.*") == []
    assert [each["path"] for each in reads].count("/v1/products") == 1
    # ten lookup keys a call, and one call for all products and tax rates each
    assert len(reads) <= 2 + -(-count // 10)


def _team(catalog: Catalog) -> Plan:
    team = catalog.plan("team")
    assert team is not None
    return team


def _raised(catalog: Catalog) -> Catalog:
    """The catalog with a team plan that costs more a month, and is called otherwise."""
    team = _team(catalog)
    prices = tuple(
        replace(price, per_seat=Money(2100, "EUR")) if price.interval is BillingInterval.MONTH else price
        for price in team.prices
    )
    dearer = replace(team, name="Crew", prices=prices)
    return replace(catalog, plans=tuple(dearer if plan is team else plan for plan in catalog.plans))


async def _synced_price(backend: RunningBackend, lookup_key: str) -> dict[str, Any]:
    """Stripe's price that was synced under a lookup key."""
    async with backend.database.read() as session:
        ids = await provider_event_store.provider_ids(session, [lookup_key])
    return await backend.sandbox.fetched(f"/v1/prices/{ids[lookup_key]}")


async def test_a_raised_price_is_another_one_and_those_who_bought_before_keep_theirs(
    own_backend: RunningBackend,
) -> None:
    context = own_backend.parts.flow_context
    sold = context.catalog
    bought = plan_terms(sold, _team(sold))
    before = [await _synced_price(own_backend, price.lookup_key) for price in terms_prices(sold, bought)]
    raised = _raised(sold)

    await sync_catalog(replace(context, catalog=raised))

    monthly = plan_prices(raised, _team(raised))[BillingInterval.MONTH, PricePart.SEAT]
    assert (await _synced_price(own_backend, monthly.lookup_key))["unit_amount"] == 2100
    assert [await _synced_price(own_backend, price.lookup_key) for price in terms_prices(sold, bought)] == before
    reads = Reads(own_backend.database)
    kept = await find_terms(reads, raised, bought.id)
    new = await find_terms(reads, raised, plan_terms(raised, _team(raised)).id)
    assert kept == bought
    assert new is not None
    assert (new.plan.code, new.plan.name) == ("team", "Crew")


async def test_a_price_that_is_not_sold_any_more_stays_for_those_who_pay_it(own_backend: RunningBackend) -> None:
    context = own_backend.parts.flow_context
    old = plan_prices(context.catalog, _team(context.catalog))[BillingInterval.MONTH, PricePart.SEAT]
    raised = replace(context, catalog=_raised(context.catalog))
    await sync_catalog(raised)
    price = await _synced_price(own_backend, old.lookup_key)
    await own_backend.sandbox.post(f"/v1/prices/{price['id']}", active="false")

    await sync_catalog(raised)

    assert (await own_backend.sandbox.fetched(f"/v1/prices/{price['id']}"))["active"]


async def test_a_plan_that_left_the_file_is_still_found_by_the_id_of_its_terms(own_backend: RunningBackend) -> None:
    context = own_backend.parts.flow_context
    bought = plan_terms(context.catalog, _team(context.catalog))
    without = replace(context.catalog, plans=tuple(plan for plan in context.catalog.plans if plan.code != "team"))

    await sync_catalog(replace(context, catalog=without))

    reads = Reads(own_backend.database)
    assert await find_terms(reads, without, bought.id) == bought
    for nothing in ("team", f"team-{'0' * 16}", "\x00", "", f"TEAM-{'0' * 16}"):
        assert await find_terms(reads, without, nothing) is None


async def test_words_of_a_plan_that_is_sold_follow_the_file(own_backend: RunningBackend) -> None:
    context = own_backend.parts.flow_context
    team = _team(context.catalog)
    renamed = replace(team, name="Crew")
    catalog = replace(context.catalog, plans=tuple(renamed if plan is team else plan for plan in context.catalog.plans))
    await sync_catalog(replace(context, catalog=catalog))

    reads = Reads(own_backend.database)
    kept = await find_terms(reads, replace(catalog, plans=()), plan_terms(catalog, team).id)

    assert kept is not None
    assert kept.plan == renamed
