"""The page on which a workspace begins to subscribe, as the provider is asked for it: what is bought, and its tax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from app.billing.subscriptions.goals import CHECKOUT_ID, TERMS_ID, WORKSPACE_ID
from app.billing.subscriptions.plan_choice import PlanChoice, billed_quantities
from app.db.tables.subscriptions import SubscriptionCheckoutRow
from app.flows.flow_context import FlowContext
from app.flows.provider.catalog_sync import sync_catalog, tax_rate_key
from app.flows.provider.tax_country import tax_country
from app.payments.billing_detail_values import TaxExemption
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, MissingObject
from app.payments.gateway_values import Checkout, ReturnUrls
from app.payments.subscription_values import PricedQuantity
from app.store import billing_details as billing_details_store
from app.store import provider_events as provider_event_store

_OF_CATALOG: Final = (MissingObject.PRICE, MissingObject.PRODUCT, MissingObject.TAX_RATE)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def open_page(
    context: FlowContext, row: SubscriptionCheckoutRow, choice: PlanChoice, customer_id: str, urls: ReturnUrls
) -> Checkout:
    """Open the page at the provider. Where it refuses a price or a tax rate, sync the catalog and try once more."""
    country = await tax_country(context, row.workspace_id)
    try:
        return await _send_page(context, row, choice, customer_id, country, urls, key=f"{row.id}:page:{customer_id}")
    except GatewayRefused as refused:
        if isinstance(refused, GatewayMissing) and refused.kind not in _OF_CATALOG:
            raise
        _log.warning("catalog.refused", error=str(refused))
        await sync_catalog(context)
    return await _send_page(context, row, choice, customer_id, country, urls, key=f"{row.id}:page:{customer_id}-again")


async def _send_page(
    context: FlowContext,
    row: SubscriptionCheckoutRow,
    choice: PlanChoice,
    customer_id: str,
    country: str | None,
    urls: ReturnUrls,
    *,
    key: str,
) -> Checkout:
    items, tax_rate_ids = await items_to_buy(context, choice, country)
    return await context.gateway.open_subscription_page(
        customer_id,
        items,
        tax_rate_ids=tax_rate_ids,
        asks_address=await _asks_address(context, row.workspace_id),
        asks_tax_id=False,
        urls=urls,
        metadata={
            WORKSPACE_ID: str(row.workspace_id),
            CHECKOUT_ID: str(row.id),
            TERMS_ID: choice.terms.id,
        },
        expires_at=row.expires_at,
        key=key,
    )


async def _asks_address(context: FlowContext, workspace_id: UUID) -> bool:
    """Whether the page asks for an address, which becomes the customer's.

    Whoever may account for the tax themselves has to say where they are. Who does already has said so: an address of another
    country would come too late for the page's own invoice.
    """
    if not context.catalog.tax.reverse_charge:
        return False
    async with context.database.read() as session:
        details = await billing_details_store.find(session, workspace_id)
    return details is None or details.exemption != TaxExemption.REVERSE


async def items_to_buy(
    context: FlowContext, choice: PlanChoice, country: str | None
) -> tuple[Sequence[PricedQuantity], Sequence[str]]:
    """What is bought and its tax rates by the provider's ids; raises `GatewayRefused` if the catalog has not been synced."""
    catalog = context.catalog
    quantities = billed_quantities(catalog, choice)
    rate = catalog.tax.rate_for(country)
    rate_key = tax_rate_key(catalog.code, rate) if rate is not None else None
    keys = [*quantities, *([rate_key] if rate_key is not None else [])]
    async with context.database.read() as session:
        ids = await provider_event_store.provider_ids(session, keys)
    if not ids.keys() >= set(keys):
        raise GatewayRefused("the catalog has not been synced to the provider: run `counterfoil catalog sync`")
    items = [PricedQuantity(ids[key], quantity) for key, quantity in quantities.items()]
    return items, [ids[rate_key]] if rate_key is not None else []
