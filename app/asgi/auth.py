"""From a request to its context: who is asking, by bearer token or session cookie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from app.accounts import sessions
from app.accounts.access import ANONYMOUS, Caller
from app.asgi.graphql import RequestInfo, SetCookie
from resolvers.context import Context, Runtime

_LIFETIME_SECONDS = int(sessions.LIFETIME.total_seconds())


@dataclass(slots=True)
class RequestContext(Context):
    """A resolver's context with what the protocol needs of it; `cookie_name` is the session cookie's."""

    cookie_name: str = ""

    @property
    def cookies(self) -> list[SetCookie]:
        """The session cookies to set, as signing in and out left them."""
        return [
            SetCookie(self.cookie_name, cookie.token or "", _LIFETIME_SECONDS if cookie.token else 0)
            for cookie in self.new_cookies
        ]

    def for_event(self) -> Self:
        """A context for one event of a live update, with nothing loaded yet."""
        return replace(self, new_cookies=[])


@dataclass(frozen=True, slots=True)
class Authentication:
    """Makes the context of each operation. Credentials that are good for nothing make an anonymous caller."""

    runtime: Runtime
    cookie_name: str

    async def __call__(self, request: RequestInfo) -> RequestContext:
        token = request.bearer_token or request.session_cookie
        caller: Caller = ANONYMOUS if token is None else await sessions.authenticate(self.runtime.database, token)
        return RequestContext(
            runtime=self.runtime,
            caller=caller,
            remote_address=request.remote_address,
            user_agent=request.user_agent,
            is_browser=request.is_browser,
            cookie_name=self.cookie_name,
        )
