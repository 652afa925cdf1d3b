"""Sessions: opening them, finding the caller of a token or key, and ending them. Sessions follow the real time (see `Clock`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.api_keys import KEY_PREFIXES
from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import ANONYMOUS, Caller, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.security.secrets import new_token, token_hash
from app.db.engine import Database, Session
from app.db.reads import Reads, read_rows
from app.db.tables.people import SessionRow
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.ids import uuid7
from app.store import api_keys as api_key_store
from app.store import sessions as session_store
from app.store import workspaces as workspace_store
from app.store.sessions import OpenSession, SignedIn
from app.store.users import Person

LIFETIME = timedelta(days=30)

_LAST_USE_WRITTEN_EVERY = timedelta(minutes=1)
_COOKIE_RENEWED_EVERY = timedelta(days=1)
_MOST_USER_AGENT_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session and its `token`, of which only a hash is stored."""

    user_id: UUID
    session_id: UUID
    token: str


async def open_session(
    session: Session, user_id: UUID, user_agent: str | None, *, replaces: str | None = None
) -> OpenedSession:
    """Open a session for a user; it ends `LIFETIME` after its last use.

    `replaces` is the token of a session that ends by this, whoever's it is: its browser keeps one cookie, which is the new one's.
    """
    if replaces is not None:
        await session_store.end_by_token_hash(session, token_hash(replaces))
    token = new_token()
    row = SessionRow(
        id=uuid7(),
        user_id=user_id,
        token_hash=token_hash(token),
        user_agent=_printable(user_agent),
        created_at=session.real_now,
        last_seen_at=session.real_now,
    )
    await session_store.add(session, row)
    return OpenedSession(user_id, row.id, token)


@dataclass(frozen=True, slots=True)
class Identified:
    """Whom a token is of. `person` is as they were read with the token, where that is one of a session of theirs."""

    caller: Caller = ANONYMOUS
    person: Person | None = None


async def identify(database: Database, token: str) -> Identified:
    """Whose session or API key this token is, by one statement; nobody's for any other token.

    Writes the time of last use, at most once in `_LAST_USE_WRITTEN_EVERY`, in a unit of work of its own.
    """
    now = database.clock.real_now()
    if token.startswith(KEY_PREFIXES):
        return await _identify_key(database, token, now)
    found = await _session_of(database, token, now)
    if found is None:
        return Identified()
    caller = UserCaller(found.user_id, found.id)
    await _note_use(database, caller, found.last_seen_at, now)
    return Identified(caller, found.person)


async def identify_by_cookie(database: Database, token: str) -> tuple[Identified, bool]:
    """Whose the token in a cookie is, as `identify`, and whether the response must set the cookie again.

    It must once in `_COOKIE_RENEWED_EVERY`: the browser drops the cookie at the age that was last sent, however often it is used.
    """
    now = database.clock.real_now()
    if token.startswith(KEY_PREFIXES):
        return await _identify_key(database, token, now), False
    found = await _session_of(database, token, now)
    if found is None:
        return Identified(), False
    caller = UserCaller(found.user_id, found.id)
    renewed_before = now - _COOKIE_RENEWED_EVERY
    if (found.cookie_renewed_at or found.created_at) >= renewed_before:
        await _note_use(database, caller, found.last_seen_at, now)
        return Identified(caller, found.person), False

    async def renew(session: Session) -> bool:
        return await session_store.renew_cookie(session, found.id, session.real_now, unless_since=renewed_before)

    # of several requests at once, one renews it
    is_renewed = await transact(database, renew, step="session-renewed")
    return Identified(caller, found.person), is_renewed


async def _session_of(database: Database, token: str, now: datetime) -> SignedIn | None:
    rows = await read_rows(database, session_store.SIGNED_IN, token_hash(token), now - LIFETIME)
    return rows[0] if rows else None


async def _identify_key(database: Database, token: str, now: datetime) -> Identified:
    rows = await read_rows(database, api_key_store.PRESENTED, token_hash(token), now)
    if not rows:
        return Identified()
    key = rows[0]
    caller = KeyCaller(key.id, key.workspace_id, key.name, frozenset(ApiScope(scope) for scope in key.scopes))
    await _note_use(database, caller, key.last_used_at, now)
    return Identified(caller)


async def _note_use(
    database: Database, caller: UserCaller | KeyCaller, noted_at: datetime | None, now: datetime
) -> None:
    if noted_at is None or noted_at < now - _LAST_USE_WRITTEN_EVERY:
        await transact(database, lambda session: _touch(session, caller), step="session-used")


async def _touch(session: Session, caller: UserCaller | KeyCaller) -> None:
    written_since = session.real_now - _LAST_USE_WRITTEN_EVERY
    if isinstance(caller, KeyCaller):
        await api_key_store.touch(session, caller.key_id, session.real_now, unless_since=written_since)
    elif caller.session_id is not None:
        await session_store.touch(session, caller.session_id, session.real_now, unless_since=written_since)


async def ended(session: Session, callers: Collection[Caller]) -> set[Caller]:
    """The callers among these whose session, key or token is no longer valid, so that their live updates end.

    Two statements at most, for any number of callers.
    """
    session_ids = {
        caller.session_id for caller in callers if isinstance(caller, UserCaller) and caller.session_id is not None
    }
    key_ids = {caller.key_id for caller in callers if isinstance(caller, KeyCaller)}
    gone: set[UUID] = set()
    if session_ids:
        gone |= await session_store.ended(session, session_ids, seen_since=session.real_now - LIFETIME)
    if key_ids:
        gone |= await api_key_store.ended(session, key_ids, at=session.real_now)
    return {caller for caller in callers if _credential_id(caller) in gone or _has_expired(caller, session.real_now)}


def _credential_id(caller: Caller) -> UUID | None:
    match caller:
        case UserCaller():
            return caller.session_id
        case KeyCaller():
            return caller.key_id
        case _:
            return None


def _has_expired(caller: Caller, now: datetime) -> bool:
    return isinstance(caller, UserCaller) and caller.expires_at is not None and caller.expires_at <= now


async def sessions_of(reads: Reads, user_id: UUID) -> Sequence[OpenSession]:
    """A user's open sessions, the last used first."""
    return await reads.rows(session_store.OF_USER, user_id, reads.real_now - LIFETIME)


async def sign_out(session: Session, caller: Caller) -> bool:
    """End the caller's session; False when there is none to end, as with a token of the identity provider."""
    if not isinstance(caller, UserCaller) or caller.session_id is None:
        return False
    return await session_store.end(session, caller.session_id, caller.user_id)


async def revoke_session(session: Session, caller: UserCaller, session_id: UUID) -> None:
    """End one of the caller's sessions, and record it in the audit log of their workspace; raises `NotFound` for any other."""
    if not await session_store.end(session, session_id, caller.user_id):
        raise NotFound
    personal = await workspace_store.personal_of(session, caller.user_id)
    if personal is not None:
        before = {"session": str(session_id)}
        await audit_log.record(
            session, personal, actor_of(caller), "session.revoked", "A session was ended.", before=before
        )


def _printable(user_agent: str | None) -> str | None:
    if user_agent is None:
        return None
    return "".join(filter(str.isprintable, user_agent))[:_MOST_USER_AGENT_CHARACTERS] or None
