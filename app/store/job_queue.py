"""Reading the worker's queue; the queue's own library writes it."""

from __future__ import annotations

from sqlalchemy import text

from app.db.engine import Session

_OPEN = text("SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked') AND execute_after <= :now")


async def open_jobs(session: Session) -> int:
    """How many jobs wait or run now, not counting those put off after a failure."""
    return int((await session.execute(_OPEN, {"now": session.real_now})).scalar_one())
