"""What the database holds, in short: to show that something changed nothing, the Stripe sandbox's tables included."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import text

from app.db.engine import Database

# noted of every request, refused ones too: how often, and when last
_BESIDE_THE_POINT = ("rate_limits",)
_OF_EACH_USE = ("last_seen_at", "last_used_at")

_TABLES = text("""
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
    WHERE schemaname IN ('public', 'stripe_sandbox') AND tablename NOT LIKE 'pgqueuer\\_%' AND tablename <> ALL (:beside)
    ORDER BY 1
""")
_UNDER_WAY = text("""
    SELECT (SELECT count(*) FROM pgqueuer) + (SELECT count(*) FROM provider_events WHERE processed_at IS NULL)
         + (SELECT count(*) FROM stripe_sandbox.deliveries WHERE status = 'pending')
         + (SELECT count(*) FROM billing_accounts
            WHERE customer_id IS NOT NULL AND (customer_due_at IS NOT NULL OR customer_digest IS NULL) AND closing_at IS NULL)
""")
_POLL_EVERY_SECONDS = 0.02


async def digest_of(database: Database) -> Mapping[str, str | None]:
    """A digest of each table's rows, by the table's name; when a session or key was last used does not count."""
    async with database.read() as session:
        tables = (await session.scalars(_TABLES, {"beside": list(_BESIDE_THE_POINT)})).all()
        query = " UNION ALL ".join(
            f"SELECT '{table}', md5(string_agg(row::text, '' ORDER BY row::text))"
            f" FROM (SELECT to_jsonb(t) - CAST(:unseen AS text[]) AS row FROM {table} t) rows"
            for table in tables
        )
        rows = await session.execute(text(query), {"unseen": list(_OF_EACH_USE)})
        return {row[0]: row[1] for row in rows}


async def settled(database: Database) -> None:
    """Return once no event is on its way, every customer is up to date, and the worker has nothing left to do."""
    while True:
        async with database.read() as session:
            if not await session.scalar(_UNDER_WAY):
                return
        await asyncio.sleep(_POLL_EVERY_SECONDS)
