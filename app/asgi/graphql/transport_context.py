"""What the transport tells about a caller, and what it needs of the context that a resolver gets."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, Protocol

Transport = Literal["http", "websocket", "sse"]


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What the transport knows of the caller; nothing in it is verified yet."""

    request_id: str
    bearer_token: str | None
    session_cookie: str | None
    remote_address: str
    """From the connection; `X-Forwarded-For` counts only behind a trusted proxy."""
    user_agent: str | None
    is_browser: bool
    """A web page sent this (`Origin` or `Sec-Fetch-Site` was there): it must never be handed a token."""
    transport: Transport
    takes_cookies: bool
    """The answer can set cookies: not over a WebSocket, nor where credentials are only looked at beforehand."""


@dataclass(frozen=True, slots=True)
class SetCookie:
    """A cookie for the caller: always HttpOnly and SameSite=Lax; `Secure` follows the settings."""

    name: str
    value: str
    max_age_seconds: int
    """0 deletes the cookie."""


class OperationContext(Protocol):
    """What the protocol needs of the context of one operation.

    A context that has `async def aclose()` is closed when its operation ends; one that has `for_event()` gives each event of a
    subscription a context of its own, so that loaders never serve stale rows.
    """

    @property
    def cookies(self) -> list[SetCookie]:
        """Those of the caller to renew, or else what mutations filled in; for an answer that `takes_cookies`, and no other."""
        ...

    @property
    def is_authenticated(self) -> bool: ...

    @property
    def share_key(self) -> Hashable | None:
        """Two contexts with equal keys may see the same: a live message is encoded once for both. None: never shared."""
        ...


class ContextFactory(Protocol):
    """Makes a fresh context for each operation; may raise ProtocolError, for example for a token that is not valid."""

    async def __call__(self, request: RequestInfo) -> OperationContext: ...
