"""What SQL must know of the plan that workspaces without a subscription are on."""

from __future__ import annotations

from app.catalog import Catalog
from app.db.engine import Database
from app.db.unit_of_work import transact
from app.store import subscriptions as subscription_store


async def keep_fallback_seats(database: Database, catalog: Catalog) -> None:
    """Write down, at each start, how many seats a workspace has that subscribes to nothing: who holds one is decided by SQL."""
    seats = catalog.fallback_plan.seats.included
    await transact(
        database, lambda session: subscription_store.keep_fallback_seats(session, seats), step="start.fallback_plan"
    )
