"""Events that were counted: forgetting the old ones."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import CursorResult, text

from app.db.engine import Session

_FORGET = text("""
    DELETE FROM usage_events WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM usage_events WHERE received_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED
    ))
""")


async def forget(session: Session, before: datetime, *, limit: int) -> int:
    """Forget at most `limit` events that arrived before a time; returns how many."""
    forgotten = await session.execute(_FORGET, {"before": before, "limit": limit})
    return cast("CursorResult[tuple[()]]", forgotten).rowcount
