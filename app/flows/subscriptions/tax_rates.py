"""The tax rates of a subscription, where they depend on the customer's country: they follow it from the next invoice on."""

from __future__ import annotations

from uuid import UUID

import structlog

from app.billing.subscriptions.goals import Snapshot
from app.flows.flow_context import FlowContext
from app.flows.provider.catalog_sync import tax_rate_key
from app.payments.gateway_errors import GatewayRefused
from app.store import billing_details as billing_details_store
from app.store import provider_events as provider_event_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def follow_country(context: FlowContext, workspace_id: UUID, snapshot: Snapshot) -> None:
    """Tax the subscription at the rates of the customer's country, if that is known. Raises `GatewayUnavailable`."""
    catalog, subscription = context.catalog, snapshot.subscription
    async with context.database.read() as session:
        country = await billing_details_store.country(session, workspace_id)
        rate = catalog.tax.rate_for(country)
        key = tax_rate_key(catalog.code, rate) if rate is not None else None
        ids = await provider_event_store.provider_ids(session, [key] if key is not None else [])
    wanted = tuple(ids.values())
    if country is None or len(wanted) != (key is not None) or wanted == subscription.tax_rate_ids:
        return
    try:
        await context.gateway.set_tax_rates(subscription.id, wanted)
    except GatewayRefused as refused:
        # as while it is being ended; it is looked at again daily
        _log.warning("subscription.tax_rates_refused", subscription=subscription.id, reason=str(refused))
