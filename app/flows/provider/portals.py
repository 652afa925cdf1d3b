"""The provider's billing portal: opening it, and two configurations of it, found by a key each, so that the sync may run again.

It is apart from the sync of the catalog: what is sold can be bought though the portal can't be set up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments.payment_errors import PaymentUnavailable
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Catalog, PlanKind
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import with_customer
from app.payments.billing_detail_values import Portal
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable, MissingObject
from app.store import billing_accounts as billing_account_store
from app.store import provider_events as provider_event_store
from app.store import subscriptions as subscription_store

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]
Count = Callable[[Session], Awaitable[None]]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def portal_key(catalog_code: str, *, offers_cancel: bool) -> str:
    """The key of a configuration: one offers to cancel, the other does not.

    The latter is for those with a change decided for later, where the provider refuses to cancel and our own page says where to,
    and for contracts, which end as agreed.
    """
    return f"{catalog_code}-portal-{'cancel' if offers_cancel else 'no-cancel'}"


async def open_portal(
    context: FlowContext, workspace_id: UUID, return_url: str, actor: Actor, authorize: Authorize, count: Count
) -> str:
    """The address of a portal page for the workspace, which leads back to `return_url`; a customer is made if there is none.

    With a change pending, or on its way, the page does not offer to cancel. `authorize` and `count` work in the transaction that
    records who asked. Raises `WorkspaceClosing`, and `PaymentUnavailable` where the provider can't be reached.
    """

    async def ask(session: Session) -> bool:
        await authorize(session)
        await count(session)
        require_open(await billing_account_store.find(session, workspace_id))
        await audit_log.record(session, workspace_id, actor, "portal.requested", "The billing portal was asked for.")
        row = await subscription_store.find(session, workspace_id)
        is_changing = await subscription_store.change_in_flight(session, workspace_id) is not None
        is_contract = (await plan_of(session, context.catalog, workspace_id)).kind is PlanKind.ENTERPRISE
        return not is_changing and not is_contract and (row is None or row.schedule_id is None)

    offers_cancel = await transact(context.database, ask, step="portal.ask")
    key = portal_key(context.catalog.code, offers_cancel=offers_cancel)
    try:
        return await with_customer(
            context, workspace_id, lambda customer_id: _open(context, customer_id, key, return_url)
        )
    except (GatewayUnavailable, GatewayRefused) as error:
        _log.warning("portal.refused", workspace=str(workspace_id), reason=str(error))
        raise PaymentUnavailable from error


async def _open(context: FlowContext, customer_id: str, key: str, return_url: str) -> str:
    """Open the page; where its configuration is not there, or was switched off, make it usable and try once more."""
    portal_id = await _portal_id(context, key)
    if portal_id is not None:
        try:
            return await context.gateway.open_portal(customer_id, portal_id=portal_id, return_url=return_url)
        except GatewayRefused as refused:
            if isinstance(refused, GatewayMissing) and refused.kind is not MissingObject.PORTAL:
                raise
    await sync_portals(context)
    portal_id = await _portal_id(context, key)
    if portal_id is None:
        raise GatewayRefused("the portal has no configuration")
    return await context.gateway.open_portal(customer_id, portal_id=portal_id, return_url=return_url)


async def _portal_id(context: FlowContext, key: str) -> str | None:
    async with context.database.read() as session:
        return (await provider_event_store.provider_ids(session, [key])).get(key)


async def sync_portals(context: FlowContext) -> None:
    """Find or make both configurations, bring back what was changed in them at the provider, and store their ids.

    Raises `GatewayUnavailable` or `GatewayRefused`; several may run at once.
    """
    synced = await context.gateway.ensure_portals(_portals(context.catalog))
    await transact(
        context.database,
        lambda session: provider_event_store.save_provider_ids(session, synced.ids),
        step="portals.save",
    )
    if synced.written:
        _log.info("portals.written", written=synced.written)


def _portals(catalog: Catalog) -> list[Portal]:
    names = {True: catalog.name, False: f"{catalog.name} (without canceling)"}
    return [
        Portal(portal_key(catalog.code, offers_cancel=offers_cancel), name, offers_cancel=offers_cancel)
        for offers_cancel, name in names.items()
    ]
