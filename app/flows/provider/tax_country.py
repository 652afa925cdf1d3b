"""The country by which a workspace is taxed, where the catalog's rates depend on it."""

from __future__ import annotations

from uuid import UUID

from app.billing.payments.billing_details import BillingAddressRequired, require_address
from app.flows.flow_context import FlowContext
from app.flows.provider.tax_details import sync_details


async def tax_country(context: FlowContext, workspace_id: UUID) -> str | None:
    """The customer's country where the tax depends on it, None elsewhere.

    Asks the provider before it is said that there is none: the event that somebody gave one in the portal may be lost. Raises
    `BillingAddressRequired` where it is not known, and `GatewayUnavailable`.
    """
    try:
        return await _known(context, workspace_id)
    except BillingAddressRequired:
        await sync_details(context, workspace_id)
    return await _known(context, workspace_id)


async def _known(context: FlowContext, workspace_id: UUID) -> str | None:
    async with context.database.read() as session:
        return await require_address(session, context.catalog.tax, workspace_id)
