"""The three kinds of callers: anonymous, a signed-in user, a program with an API key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from app.accounts.access.permissions import SERVICE_SCOPES, ApiScope
from app.errors import Forbidden, Unauthenticated


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A caller without credentials, or with invalid ones."""


@dataclass(frozen=True, slots=True)
class UserCaller:
    """A signed-in person: `session_id` is None and `expires_at` set for one who came with a token of the identity provider."""

    user_id: UUID
    session_id: UUID | None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """A program with a key: `workspace_id` is the workspace of a customer's key, None for a service key of the host product."""

    key_id: UUID
    workspace_id: UUID | None
    name: str
    scopes: frozenset[ApiScope]

    @property
    def is_service(self) -> bool:
        """Whether this is a key of the host product, which reaches every workspace."""
        return self.workspace_id is None


Caller: TypeAlias = Anonymous | UserCaller | KeyCaller

ANONYMOUS = Anonymous()


def require_authenticated(caller: Caller) -> None:
    """Raise `Unauthenticated` for an anonymous caller: before ids are read, so that nobody learns whether a text is one."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated


def require_user(caller: Caller) -> UserCaller:
    """The caller as a person; raises `Unauthenticated` for an anonymous one and `Forbidden` for a key."""
    if isinstance(caller, Anonymous):
        raise Unauthenticated
    if isinstance(caller, KeyCaller):
        raise Forbidden("A key can't do this: it needs a person who is signed in.")
    return caller


def usable_scopes(key: KeyCaller) -> frozenset[ApiScope]:
    """A key's scopes that count: `SERVICE_SCOPES` count on service keys only, even if the row of a workspace's key has them."""
    return key.scopes if key.is_service else key.scopes - SERVICE_SCOPES
