"""Tidying up: what no longer counts for anything is not kept."""

from __future__ import annotations

from app.accounts.people.sessions import LIFETIME
from app.db.engine import Session
from app.store import workspaces as workspace_store
from app.store.expired_rows import delete_expired


async def purge_expired(session: Session) -> None:
    """Delete what has lapsed: links, codes, limits, sessions, guards; once an hour is plenty, since none is honoured anyway."""
    await delete_expired(session, at=session.real_now, sessions_unused_since=session.real_now - LIFETIME)
    await workspace_store.forget_handle_holds(session, at=session.now)
