"""The invoice line for an order, with the provider's ids of its price and tax rate."""

from __future__ import annotations

from app.billing.purchases.orders import Order
from app.flows.flow_context import FlowContext
from app.flows.provider.catalog_sync import tax_rate_key
from app.payments.gateway_values import Charge, GatewayRefused
from app.store import provider_events as provider_event_store


async def charge_of(context: FlowContext, order: Order) -> Charge:
    """The line for an order; raises `GatewayRefused` if the catalog has not been synced to the provider."""
    catalog = context.catalog
    rate = catalog.tax.rate_for(None)
    rate_key = tax_rate_key(catalog.code, rate) if rate is not None else None
    keys = [key for key in (order.price_key, rate_key) if key is not None]
    async with context.database.read() as session:
        ids = await provider_event_store.provider_ids(session, keys)
    if len(ids) < len(keys):
        raise GatewayRefused("the catalog has not been synced to the provider: run `counterfoil catalog sync`")
    return Charge(
        description=order.description,
        price=order.price,
        product_id=order.product_id,
        price_id=ids[order.price_key] if order.price_key is not None else None,
        tax_rate_ids=(ids[rate_key],) if rate_key is not None else (),
        price_includes_tax=catalog.prices_include_tax,
    )
