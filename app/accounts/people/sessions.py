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
from app.db.tables.access import ApiKeyRow
from app.db.tables.people import SessionRow
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.ids import uuid7
from app.store import api_keys as api_key_store
from app.store import sessions as session_store
from app.store import workspaces as workspace_store

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


async def authenticate(database: Database, token: str) -> Caller:
    """The caller whose session or API key this token is; `Anonymous` for any other token.

    Writes the time of last use, at most once in `_LAST_USE_WRITTEN_EVERY`, in a unit of work of its own.
    """
    async with database.read() as session:
        row, now = await _row_of(session, token), session.real_now
    return await _caller_of(database, row, now)


async def authenticate_cookie(database: Database, token: str) -> tuple[Caller, bool]:
    """The caller of the token in a cookie, as `authenticate`, and whether the response must set the cookie again.

    It must once in `_COOKIE_RENEWED_EVERY`: the browser drops the cookie at the age that was last sent, however often it is used.
    """
    async with database.read() as session:
        row, now = await _row_of(session, token), session.real_now
    renewed_before = now - _COOKIE_RENEWED_EVERY
    if not isinstance(row, SessionRow) or (row.cookie_renewed_at or row.created_at) >= renewed_before:
        return await _caller_of(database, row, now), False

    async def renew(session: Session) -> bool:
        return await session_store.renew_cookie(session, row.id, session.real_now, unless_since=renewed_before)

    # of several requests at once, one renews it
    is_renewed = await transact(database, renew, step="session-renewed")
    return UserCaller(row.user_id, row.id), is_renewed


async def _caller_of(database: Database, row: SessionRow | ApiKeyRow | None, now: datetime) -> Caller:
    match row:
        case None:
            return ANONYMOUS
        case SessionRow():
            caller, used_at = UserCaller(row.user_id, row.id), row.last_seen_at
        case ApiKeyRow():
            scopes = frozenset(ApiScope(scope) for scope in row.scopes)
            caller, used_at = KeyCaller(row.id, row.workspace_id, row.name, scopes), row.last_used_at
    if used_at is None or used_at < now - _LAST_USE_WRITTEN_EVERY:
        await transact(database, lambda session: _touch(session, caller), step="session-used")
    return caller


async def _row_of(session: Session, token: str) -> SessionRow | ApiKeyRow | None:
    if token.startswith(KEY_PREFIXES):
        return await api_key_store.by_secret_hash(session, token_hash(token), at=session.real_now)
    return await session_store.by_token_hash(session, token_hash(token), seen_since=session.real_now - LIFETIME)


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


async def sessions_of(session: Session, user_id: UUID) -> Sequence[SessionRow]:
    """A user's open sessions, the last used first."""
    return await session_store.of_user(session, user_id, seen_since=session.real_now - LIFETIME)


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
