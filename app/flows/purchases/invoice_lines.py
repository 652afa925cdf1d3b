"""The invoice line for an order, with the provider's ids of its product, price and tax rate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import structlog

from app.billing.purchases.orders import Order
from app.flows.flow_context import FlowContext
from app.flows.provider.catalog_sync import product_key, sync_catalog, tax_rate_key
from app.flows.provider.tax_country import tax_country
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, MissingObject
from app.payments.gateway_values import Charge
from app.store import provider_events as provider_event_store

T = TypeVar("T")

_OF_CATALOG = (MissingObject.PRICE, MissingObject.PRODUCT, MissingObject.TAX_RATE)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def send_line(
    context: FlowContext, workspace_id: UUID, order: Order, send: Callable[[Charge, str], Awaitable[T]], *, key: str
) -> T:
    """Send the line for an order. Where the provider refuses it, sync the catalog and send it once more.

    Someone may have archived or deleted its price, product or tax rate there. `send` gets the line and its idempotency key, another
    one the second time: the provider may keep the refusal under the first. Raises what `send` raises; a refusal that is about
    something else than the catalog, such as a customer that is gone, comes at once. Raises `BillingAddressRequired` where the tax
    depends on a country that is not known.
    """
    country = await tax_country(context, workspace_id)
    try:
        return await send(await _charge_of(context, order, country), key)
    except GatewayRefused as refused:
        if isinstance(refused, GatewayMissing) and refused.kind not in _OF_CATALOG:
            raise
        _log.warning("catalog.refused", error=str(refused))
        await sync_catalog(context)
    return await send(await _charge_of(context, order, country), f"{key}-again")


async def _charge_of(context: FlowContext, order: Order, country: str | None) -> Charge:
    """The line for an order, taxed as in a country; raises `GatewayRefused` if the catalog has not been synced to the provider."""
    catalog = context.catalog
    rate = catalog.tax.rate_for(country)
    rate_key = tax_rate_key(catalog.code, rate) if rate is not None else None
    keys = [key for key in (order.price_key, rate_key) if key is not None]
    of_product = product_key(order.product_id)
    async with context.database.read() as session:
        ids = await provider_event_store.provider_ids(session, [*keys, of_product])
    if not ids.keys() >= set(keys):
        raise GatewayRefused("the catalog has not been synced to the provider: run `counterfoil catalog sync`")
    return Charge(
        description=order.description,
        price=order.price,
        product_id=ids.get(of_product, order.product_id),
        price_id=ids[order.price_key] if order.price_key is not None else None,
        tax_rate_ids=(ids[rate_key],) if rate_key is not None else (),
        price_includes_tax=catalog.prices_include_tax,
    )
