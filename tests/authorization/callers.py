"""Who asks: every kind of credential there is, as seen from one organization, and the groups that rows speak of."""

from __future__ import annotations

from enum import Enum
from typing import Final

from app.accounts.access.permissions import ApiScope


class Who(Enum):
    """A kind of caller. A service key is of the host product; the other keys are of a workspace."""

    NOBODY = "nobody"
    MEMBER = "a member"
    ADMIN = "an admin"
    OWNER = "an owner"
    STRANGER = "the owner of another workspace"
    READ_KEY = "a key with BILLING_READ"
    WRITE_KEY = "a key with BILLING_WRITE"
    STRANGERS_KEY = "a key of another workspace"
    SERVICE_READ = "a service key with BILLING_READ"
    SERVICE_WRITE = "a service key with BILLING_WRITE"
    SERVICE_USAGE = "a service key with USAGE_WRITE"
    SERVICE_CREDITS = "a service key with CREDITS_WRITE"
    SERVICE_OPERATOR = "a service key with OPERATOR"


SERVICES: Final = {
    Who.SERVICE_READ: ApiScope.BILLING_READ,
    Who.SERVICE_WRITE: ApiScope.BILLING_WRITE,
    Who.SERVICE_USAGE: ApiScope.USAGE_WRITE,
    Who.SERVICE_CREDITS: ApiScope.CREDITS_WRITE,
    Who.SERVICE_OPERATOR: ApiScope.OPERATOR,
}

EVERYONE: Final = frozenset(Who)
SERVICE_KEYS: Final = frozenset(SERVICES)
KEYS: Final = SERVICE_KEYS | {Who.READ_KEY, Who.WRITE_KEY, Who.STRANGERS_KEY}
PERSONS: Final = frozenset({Who.MEMBER, Who.ADMIN, Who.OWNER, Who.STRANGER})
# who may not know that the workspace exists
OUTSIDERS: Final = frozenset({Who.STRANGER, Who.STRANGERS_KEY})

OWNERS: Final = frozenset({Who.OWNER})
MANAGERS: Final = frozenset({Who.OWNER, Who.ADMIN})
MEMBERS: Final = frozenset({Who.OWNER, Who.ADMIN, Who.MEMBER})
SEE_WORKSPACE: Final = EVERYONE - OUTSIDERS - {Who.NOBODY}
SEE_BILLING: Final = frozenset(
    {Who.OWNER, Who.READ_KEY, Who.WRITE_KEY, Who.SERVICE_READ, Who.SERVICE_WRITE, Who.SERVICE_OPERATOR}
)
MANAGE_BILLING: Final = frozenset({Who.OWNER, Who.WRITE_KEY, Who.SERVICE_WRITE})
