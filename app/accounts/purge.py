"""Purging: deletes rows that have expired, such as sessions, links, codes and rate-limit counts."""

from __future__ import annotations

from app.accounts.people.sessions import LIFETIME
from app.db.engine import Session
from app.store import workspaces as workspace_store
from app.store.expired_rows import delete_expired


async def purge_expired(session: Session) -> None:
    """Delete expired rows. Once an hour is enough: expired ones have no effect, even before they are deleted."""
    await delete_expired(session, at=session.real_now, sessions_unused_since=session.real_now - LIFETIME)
    await workspace_store.forget_handle_holds(session, at=session.now)
