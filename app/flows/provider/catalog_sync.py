"""Syncs the catalog to the payment provider: products, prices and tax rates, each found by a key, so that it may run again."""

from __future__ import annotations

from app.billing.purchases.orders import custom_product_id
from app.catalog import Catalog, TaxRate, stripe_prices
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments import gateway_values
from app.store import provider_events as provider_event_store


def tax_rate_key(catalog_code: str, rate: TaxRate) -> str:
    """The key of a tax rate. At the provider a rate can't be changed, so another percentage or behaviour has another key."""
    behaviour = "inclusive" if rate.inclusive else "exclusive"
    return f"{catalog_code}-tax-{rate.country or 'all'}-{rate.percent.normalize():f}-{behaviour}"


async def sync_catalog(context: FlowContext) -> int:
    """Find or make every product, price and tax rate of the catalog, store their ids, and return how many there are.

    Raises `GatewayUnavailable` or `GatewayRefused`; running it again continues where it stopped.
    """
    catalog = context.catalog
    ids: dict[str, str] = {}
    for product in _products(catalog):
        await context.gateway.ensure_product(product)
    for price in stripe_prices(catalog):
        ids[price.lookup_key] = await context.gateway.ensure_price(
            gateway_values.Price(
                lookup_key=price.lookup_key,
                product_id=price.product,
                amount=price.amount,
                includes_tax=price.tax_inclusive,
                interval=price.interval.value.lower() if price.interval is not None else None,
            )
        )
    for rate in catalog.tax.rates:
        key = tax_rate_key(catalog.code, rate)
        ids[key] = await context.gateway.ensure_tax_rate(
            gateway_values.TaxRate(
                key=key, name=rate.name, percent=rate.percent, inclusive=rate.inclusive, country=rate.country
            )
        )

    async def save(session: Session) -> None:
        await provider_event_store.save_provider_ids(session, ids)

    await transact(context.database, save, step="catalog.save")
    return len(ids)


def _products(catalog: Catalog) -> list[gateway_values.Product]:
    named = {price.product: price.name for price in stripe_prices(catalog)}
    if catalog.custom_recharge is not None:
        named[custom_product_id(catalog)] = f"{catalog.credit_unit.name} of credits"
    return [gateway_values.Product(product_id, name) for product_id, name in named.items()]
