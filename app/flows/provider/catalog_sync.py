"""Syncs the catalog to the payment provider: products, prices and tax rates, each found by a key, so that it may run again.

What is sold is said in the catalog's file alone. So what was archived, deleted or changed at the provider is brought back, at each
start, when the provider reports it, and when a purchase is refused because of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from app.billing.purchases.orders import custom_product_id
from app.billing.subscriptions.kept_terms import all_terms, keep_terms
from app.catalog import Catalog, PlanTerms, StripePrice, TaxRate, stripe_prices, terms_prices
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments import gateway_values
from app.payments.gateway_values import SyncedObjects
from app.store import provider_events as provider_event_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def tax_rate_key(catalog_code: str, rate: TaxRate) -> str:
    """The key of a tax rate. At the provider a rate can't be changed, so another percentage or behaviour has another key."""
    behaviour = "inclusive" if rate.inclusive else "exclusive"
    return f"{catalog_code}-tax-{rate.country or 'all'}-{rate.percent.normalize():f}-{behaviour}"


def product_key(product_id: str) -> str:
    """The key of a product: the provider may have it under another id, where the catalog's own was deleted there."""
    return f"product:{product_id}"


async def sync_catalog(context: FlowContext) -> int:
    """Find or make all that the catalog sells, store their ids, and return how many prices and rates there are.

    Raises `GatewayUnavailable` or `GatewayRefused`; running it again continues where it stopped. Several may run at once.
    """
    catalog = context.catalog
    async with context.database.read() as session:
        sold = _prices(catalog, await all_terms(session))
    made = await _sync_prices(context, sold, _products(catalog, sold))
    rates = await context.gateway.ensure_tax_rates(
        [
            gateway_values.TaxRate(
                key=tax_rate_key(catalog.code, rate),
                name=rate.name,
                percent=rate.percent,
                inclusive=rate.inclusive,
                country=rate.country,
            )
            for rate in catalog.tax.rates
        ]
    )
    ids = {**made.ids, **rates.ids}

    async def save(session: Session) -> None:
        await provider_event_store.save_provider_ids(session, ids)
        await keep_terms(session, catalog)

    await transact(context.database, save, step="catalog.save")
    if written := made.written + rates.written:
        _log.info("catalog.written", written=written)
    return len(sold) + len(rates.ids)


async def sync_terms(context: FlowContext, terms: PlanTerms) -> None:
    """Find or make the recurring prices of single terms, such as were made for one workspace, and store their ids.

    Raises `GatewayUnavailable` or `GatewayRefused`.
    """
    sold = list(terms_prices(context.catalog, terms))
    named = {price.product: price.name for price in stripe_prices(context.catalog)}
    made = await _sync_prices(context, sold, {price.product: named.get(price.product, price.name) for price in sold})
    await transact(
        context.database,
        lambda session: provider_event_store.save_provider_ids(session, made.ids),
        step="catalog.save_terms",
    )


async def _sync_prices(context: FlowContext, sold: Sequence[StripePrice], named: Mapping[str, str]) -> SyncedObjects:
    """Find or make these prices and the products that `named` names; the provider's ids by our keys."""
    async with context.database.read() as session:
        known = await provider_event_store.provider_ids(session, [product_key(each) for each in named])
    at_provider = {each: known.get(product_key(each), each) for each in named}
    products = await context.gateway.ensure_products(
        [gateway_values.Product(at_provider[each], name) for each, name in named.items()]
    )
    product_ids = {each: products.ids[before] for each, before in at_provider.items()}
    prices = await context.gateway.ensure_prices(
        [
            gateway_values.Price(
                lookup_key=price.lookup_key,
                product_id=product_ids[price.product],
                amount=price.amount,
                includes_tax=price.tax_inclusive,
                interval=price.interval.value.lower() if price.interval is not None else None,
            )
            for price in sold
        ]
    )
    ids = {product_key(each): product_ids[each] for each in named} | dict(prices.ids)
    return SyncedObjects(ids, (*products.written, *prices.written))


def _prices(catalog: Catalog, terms: Sequence[PlanTerms]) -> list[StripePrice]:
    """What is sold, and what was: those who bought it change seats and add-ons at its prices, which must not be archived."""
    by_key = {price.lookup_key: price for each in terms for price in terms_prices(catalog, each)}
    # today's names win
    return [*(by_key | {price.lookup_key: price for price in stripe_prices(catalog)}).values()]


def _products(catalog: Catalog, sold: Sequence[StripePrice]) -> dict[str, str]:
    """The names of what is sold, by the ids that the catalog gives them."""
    named = {price.product: price.name for price in sold}
    named |= {price.product: price.name for price in stripe_prices(catalog)}
    if catalog.custom_recharge is not None:
        named[custom_product_id(catalog)] = f"{catalog.credit_unit.name} of credits"
    return named
