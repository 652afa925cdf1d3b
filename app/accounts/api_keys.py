"""Keys for the programs of the host product."""

from __future__ import annotations

from collections.abc import Iterable

from app.accounts.access import ApiScope
from app.accounts.secrets import new_token, token_hash
from app.accounts.words import one_line
from app.db.engine import Session
from app.db.tables.workspaces import ApiKeyRow
from app.errors import InvalidInput
from app.ids import uuid7
from app.store import api_keys as store

SERVICE_KEY_PREFIX = "cfs_"

# what a bearer token begins with when it is a key and not a session
KEY_PREFIXES = (SERVICE_KEY_PREFIX,)

_SHOWN_LETTERS = 10
_MAX_NAME_LETTERS = 100


async def create_service_key(session: Session, name: str, scopes: Iterable[ApiScope]) -> tuple[ApiKeyRow, str]:
    """A key that reaches every workspace within its scopes, and its secret, which can't be read again.

    Raises `InvalidInput` for a name that is empty, too long or not one line, and for no scopes.
    """
    name = one_line(name, "A name", at_most=_MAX_NAME_LETTERS)
    granted = sorted(set(scopes))
    if not granted:
        raise InvalidInput("A key needs at least one scope.")
    secret = new_token(SERVICE_KEY_PREFIX)
    row = ApiKeyRow(
        id=uuid7(),
        workspace_id=None,
        name=name,
        prefix=secret[:_SHOWN_LETTERS],
        secret_hash=token_hash(secret),
        scopes=[scope.value for scope in granted],
        created_at=session.real_now,
        last_used_at=None,
        expires_at=None,
        revoked_at=None,
    )
    await store.add(session, row)
    return row, secret
