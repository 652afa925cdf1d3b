"""The provider's billing portal: two configurations of it, found by a key each, so that the sync may run again.

It is apart from the sync of the catalog: what is sold can be bought though the portal can't be set up.
"""

from __future__ import annotations

import structlog

from app.catalog import Catalog
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments.billing_detail_values import Portal
from app.store import provider_events as provider_event_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def portal_key(catalog_code: str, *, offers_cancel: bool) -> str:
    """The key of a configuration: one offers to cancel, the other does not.

    The latter is for those with a change decided for later: the provider refuses to cancel then, and our own page says where to.
    """
    return f"{catalog_code}-portal-{'cancel' if offers_cancel else 'no-cancel'}"


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
