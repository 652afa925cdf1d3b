"""Rate limits: when each limited thing was done lately. Times are the wall's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, text, update

from app.db.engine import Session
from app.db.tables.security import RateLimitRow

# sorted, so that two callers that share several keys wait for each other instead of deadlocking
_LOCK = text(
    """
    INSERT INTO rate_limits (key, hits, expires_at)
    SELECT key, '{}', :expires_at FROM unnest(CAST(:keys AS bytea[])) AS key ORDER BY key
    ON CONFLICT (key) DO UPDATE SET key = excluded.key
    RETURNING key, hits
    """
)

_TAKE_BACK = text(
    """
    UPDATE rate_limits SET hits = array_remove(hits, CAST(:at AS timestamptz))
    WHERE key IN (SELECT key FROM rate_limits WHERE key = ANY(CAST(:keys AS bytea[])) ORDER BY key FOR UPDATE)
    """
)


async def read(session: Session, keys: Iterable[bytes]) -> Mapping[bytes, Sequence[datetime]]:
    """The hits of those keys that have any, as they are now."""
    rows = await session.execute(select(RateLimitRow.key, RateLimitRow.hits).where(RateLimitRow.key.in_(list(keys))))
    return {row.key: row.hits for row in rows}


async def lock(session: Session, keys: Iterable[bytes], *, expires_at: datetime) -> Mapping[bytes, Sequence[datetime]]:
    """The hits of each key, which nobody else can count until the transaction ends."""
    rows = await session.execute(_LOCK, {"keys": list(keys), "expires_at": expires_at})
    return {row.key: row.hits for row in rows}


async def save(session: Session, key: bytes, hits: Sequence[datetime], *, expires_at: datetime) -> None:
    """Keep these hits, which count for nothing any more from `expires_at` on."""
    await session.execute(
        update(RateLimitRow)
        .where(RateLimitRow.key == key)
        .values(hits=list(hits), expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )


async def take_back(session: Session, keys: Iterable[bytes], at: datetime) -> None:
    """Forget the hits of this moment."""
    await session.execute(_TAKE_BACK, {"keys": list(keys), "at": at})


async def clear(session: Session, keys: Sequence[bytes]) -> None:
    """Forget all hits of these keys."""
    if keys:
        cleared = update(RateLimitRow).where(RateLimitRow.key.in_(keys)).values(hits=[])
        await session.execute(cleared.execution_options(synchronize_session=False))
