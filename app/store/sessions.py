"""Sessions: signed-in browsers and programs. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, text, update

from app.db.engine import Session
from app.db.reads import Read
from app.db.tables.people import SessionRow
from app.store.users import PERSON_COLUMNS, PERSON_TABLES, Person


class SignedIn(NamedTuple):
    """A session that a request came with, and who it is of."""

    id: UUID
    user_id: UUID
    created_at: datetime
    last_seen_at: datetime
    cookie_renewed_at: datetime | None
    person: Person | None

    @classmethod
    def of(cls, *columns: object) -> SignedIn:
        """A session, made of its own columns and the person's."""
        person = Person.of(*columns[5:]) if columns[5] is not None else None
        return cls(*columns[:5], person)  # pyright: ignore[reportArgumentType, reportCallIssue]


class OpenSession(NamedTuple):
    """A session as its owner sees it."""

    id: UUID
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime


SIGNED_IN: Final = Read(
    "session",
    "SELECT s.id AS session_id, s.user_id AS whose, s.created_at AS opened_at, s.last_seen_at, s.cookie_renewed_at,"
    f" {PERSON_COLUMNS} FROM sessions s LEFT JOIN ({PERSON_TABLES}) ON u.id = s.user_id"
    " WHERE s.token_hash = $1::bytea AND s.last_seen_at >= $2::timestamptz",
    SignedIn.of,
)
"""The session with this token, unless it was last used before a time."""

OF_USER: Final = Read(
    "sessions_of_user",
    "SELECT id, user_agent, created_at, last_seen_at FROM sessions"
    " WHERE user_id = $1::uuid AND last_seen_at >= $2::timestamptz ORDER BY last_seen_at DESC, id DESC",
    OpenSession,
)
"""A user's sessions that were used since a time, the latest used first."""

# One look-up in the key's index for each, however many: they are those of everyone who watches.
_ENDED = text("""
    SELECT asked.id FROM unnest(CAST(:ids AS uuid[])) AS asked (id)
    WHERE NOT EXISTS (SELECT FROM sessions WHERE sessions.id = asked.id AND sessions.last_seen_at >= :seen_since)
""")


async def add(session: Session, row: SessionRow) -> None:
    """Add a session."""
    session.add(row)
    await session.flush()


async def ended(session: Session, session_ids: Collection[UUID], *, seen_since: datetime) -> set[UUID]:
    """Those of the sessions that are open no longer."""
    return set(await session.scalars(_ENDED, {"ids": list(session_ids), "seen_since": seen_since}))


async def touch(session: Session, session_id: UUID, at: datetime, *, unless_since: datetime) -> None:
    """Note that the session was used, unless that was noted since `unless_since`."""
    await session.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.last_seen_at < unless_since)
        .values(last_seen_at=at)
        .execution_options(synchronize_session=False)
    )


async def renew_cookie(session: Session, session_id: UUID, at: datetime, *, unless_since: datetime) -> bool:
    """Note that the session was used and its cookie sent again; False when that was done since `unless_since`, or it has ended."""
    renewed = await session.execute(
        update(SessionRow)
        .where(
            SessionRow.id == session_id,
            func.coalesce(SessionRow.cookie_renewed_at, SessionRow.created_at) < unless_since,
        )
        .values(last_seen_at=at, cookie_renewed_at=at)
        .returning(SessionRow.id)
        .execution_options(synchronize_session=False)
    )
    return renewed.one_or_none() is not None


async def end(session: Session, session_id: UUID, user_id: UUID) -> bool:
    """End a session of this user; False when the user has no such session."""
    ended = await session.execute(
        delete(SessionRow).where(SessionRow.id == session_id, SessionRow.user_id == user_id).returning(SessionRow.id)
    )
    return ended.one_or_none() is not None


async def end_by_token_hash(session: Session, token_hash: bytes) -> None:
    """End the session with this token, whoever's it is, if there is one."""
    ended = delete(SessionRow).where(SessionRow.token_hash == token_hash)
    await session.execute(ended.execution_options(synchronize_session=False))


async def end_others(session: Session, user_id: UUID, session_id: UUID | None) -> None:
    """End every session of this user but one; all of them where None is given."""
    others = SessionRow.user_id == user_id
    if session_id is not None:
        others &= SessionRow.id != session_id
    await session.execute(delete(SessionRow).where(others))
