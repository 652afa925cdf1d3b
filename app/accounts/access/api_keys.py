"""API keys: a workspace's own, which its owners create, and service keys of the host product, which operators create."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import OPERATOR, Actor, actor_of
from app.accounts.access.callers import Caller, UserCaller, require_user
from app.accounts.access.permissions import SERVICE_SCOPES, ApiScope, WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.security.secrets import new_token, token_hash
from app.accounts.security.text_input import one_line
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.access import ApiKeyRow
from app.errors import InvalidInput, NotFound
from app.ids import uuid7
from app.store import api_keys as api_key_store
from app.store import workspaces as workspace_store

WORKSPACE_KEY_PREFIX = "cfk_"
SERVICE_KEY_PREFIX = "cfs_"

# a bearer token that begins with one of these is an API key, and not the token of a session
KEY_PREFIXES = (WORKSPACE_KEY_PREFIX, SERVICE_KEY_PREFIX)

# expired keys count too until they are revoked, so that the list stays short
MOST_KEYS = 50

_PREFIX_CHARACTERS = 10
MOST_NAME_CHARACTERS = 100


async def create_workspace_key(
    session: Session,
    caller: Caller,
    workspace_id: UUID,
    name: str,
    scopes: Iterable[ApiScope],
    expires_at: datetime | None,
) -> tuple[ApiKeyRow, str]:
    """Create a key for one workspace; returns it and its secret, which can't be read again.

    For owners in person: a key can't create keys. Raises `InvalidInput` for a name, scopes or an expiry that a key can't have and
    for one key more than `MOST_KEYS`, and what `workspace_for` raises.
    """
    user = require_user(caller)
    wanted = frozenset(scopes)
    # others who create keys for this workspace at the same time wait here, so that the limit holds
    await workspace_store.lock(session, workspace_id)
    await _authorize(session, user, workspace_id)
    row, secret = _new_key(
        session, WORKSPACE_KEY_PREFIX, workspace_id, name, wanted, expires_at, created_by=user.user_id
    )
    if wanted & SERVICE_SCOPES:
        raise InvalidInput(
            "A workspace's key can have BILLING_READ and BILLING_WRITE; the other scopes are for service keys.",
            path=("input", "scopes"),
        )
    if len(await all_in(session, api_key_store.OF_WORKSPACES, [workspace_id])) >= MOST_KEYS:
        raise InvalidInput(f"A workspace has at most {MOST_KEYS} keys: revoke one first. Expired ones count too.")
    await api_key_store.add(session, row)
    after = {**_log_detail(row), "expiresAt": expires_at.isoformat() if expires_at is not None else None}
    await audit_log.record(session, workspace_id, actor_of(user), "key.created", "An API key was created.", after=after)
    return row, secret


async def revoke_workspace_key(session: Session, caller: Caller, workspace_id: UUID, key_id: UUID) -> WorkspaceAccess:
    """Revoke a workspace's key: the next request with it is anonymous, its live updates end within a minute. Returns the workspace.

    For owners in person. Revoking it again does nothing. Raises `NotFound` for a key that the workspace never had, and what
    `workspace_for` raises.
    """
    user = require_user(caller)
    access = await _authorize(session, user, workspace_id)
    row = await api_key_store.lock(session, key_id)
    if row is None or row.workspace_id != workspace_id:
        raise NotFound
    await _revoke(session, row, actor_of(user))
    return access


async def create_service_key(
    session: Session, name: str, scopes: Iterable[ApiScope], *, expires_at: datetime | None = None
) -> tuple[ApiKeyRow, str]:
    """Create a key for every workspace, with any scopes; returns it and its secret, which can't be read again.

    Raises `InvalidInput` for a name that is empty, too long or not one line, for no scopes, and for an expiry in the past.
    """
    row, secret = _new_key(session, SERVICE_KEY_PREFIX, None, name, set(scopes), expires_at)
    await api_key_store.add(session, row)
    return row, secret


async def service_keys(session: Session) -> Sequence[ApiKeyRow]:
    """The host product's keys that are not revoked, expired ones too, the newest first."""
    return await api_key_store.service_keys(session)


async def revoke_key(session: Session, id_or_prefix: str) -> ApiKeyRow:
    """Revoke a key of the host product or of a workspace, as an operator: by its id, or by the prefix that lists show.

    Revoking it again does nothing. Raises `NotFound`, and `InvalidInput` for a prefix that several keys have.
    """
    key_id = _parse_uuid(id_or_prefix)
    ids = [key_id] if key_id is not None else await api_key_store.ids_with_prefix(session, id_or_prefix)
    if len(ids) > 1:
        raise InvalidInput(f"Several keys begin with {id_or_prefix}: give the id of one: {', '.join(map(str, ids))}.")
    row = await api_key_store.lock(session, ids[0]) if ids else None
    if row is None:
        raise NotFound(f"There is no key {id_or_prefix!r}.")
    await _revoke(session, row, OPERATOR)
    return row


def _new_key(
    session: Session,
    token_prefix: str,
    workspace_id: UUID | None,
    name: str,
    scopes: Collection[ApiScope],
    expires_at: datetime | None,
    *,
    created_by: UUID | None = None,
) -> tuple[ApiKeyRow, str]:
    name = one_line(name, "A name", at_most=MOST_NAME_CHARACTERS, path=("input", "name"))
    if not scopes:
        raise InvalidInput("A key needs at least one scope.", path=("input", "scopes"))
    if expires_at is not None and expires_at <= session.real_now:
        raise InvalidInput("The expiry must lie in the future.", path=("input", "expiresAt"))
    secret = new_token(token_prefix)
    row = ApiKeyRow(
        id=uuid7(),
        workspace_id=workspace_id,
        name=name,
        prefix=secret[:_PREFIX_CHARACTERS],
        secret_hash=token_hash(secret),
        scopes=[scope.value for scope in ApiScope if scope in scopes],
        created_by=created_by,
        created_at=session.real_now,
        last_used_at=None,
        expires_at=expires_at,
        revoked_at=None,
    )
    return row, secret


async def _revoke(session: Session, row: ApiKeyRow, actor: Actor) -> None:
    if row.revoked_at is not None:
        return
    row.revoked_at = session.real_now
    if row.workspace_id is not None:
        await audit_log.record(
            session, row.workspace_id, actor, "key.revoked", "An API key was revoked.", before=_log_detail(row)
        )


def _log_detail(row: ApiKeyRow) -> dict[str, object]:
    """What the audit log holds of a key: not its name, which a customer wrote and may hold anything, and nothing of its secret."""
    return {"prefix": row.prefix, "scopes": row.scopes}


async def _authorize(session: Session, caller: UserCaller, workspace_id: UUID) -> WorkspaceAccess:
    return await workspace_for(session, caller, workspace_id, permission=WorkspacePermission.MANAGE_KEYS, lock=True)


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
