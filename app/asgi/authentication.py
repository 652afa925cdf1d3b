"""From a request to its context: who is asking, by bearer token, session cookie or a token of the identity provider."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from app.accounts.people import oidc_identities, sessions
from app.accounts.people.sessions import Identified
from app.asgi.graphql import RequestInfo, SetCookie
from app.oidc.tokens import looks_like_token
from resolvers.context import Context, Runtime

_LIFETIME_SECONDS = int(sessions.LIFETIME.total_seconds())


@dataclass(slots=True)
class RequestContext(Context):
    """A resolver's context with what the protocol needs of it.

    `cookie_name` is the session cookie's; `renewed_token` is in the one the request came with, where that is to be sent again.
    """

    cookie_name: str = ""
    renewed_token: str | None = None

    @property
    def cookies(self) -> list[SetCookie]:
        """The session cookies to set: what signing in and out left or, if nothing, the caller's own to keep for longer."""
        tokens = [cookie.token for cookie in self.new_cookies]
        if not tokens and self.renewed_token is not None:
            tokens = [self.renewed_token]
        return [SetCookie(self.cookie_name, token or "", _LIFETIME_SECONDS if token else 0) for token in tokens]

    def for_event(self) -> Self:
        """A context for one event of a live update, which knows nothing of what was read before."""
        return replace(self, new_cookies=[], person=None)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Makes the context of each operation. Credentials that are good for nothing make an anonymous caller.

    Raises `IssuerUnavailable` for a token that only the identity provider could tell to be good or not.
    """

    runtime: Runtime
    cookie_name: str

    async def __call__(self, request: RequestInfo) -> RequestContext:
        identified, renews_cookie = await self._identify(request)
        return RequestContext(
            runtime=self.runtime,
            caller=identified.caller,
            person=identified.person,
            remote_address=request.remote_address,
            user_agent=request.user_agent,
            is_browser=request.is_browser,
            takes_cookies=request.takes_cookies,
            session_cookie=request.session_cookie,
            cookie_name=self.cookie_name,
            renewed_token=request.session_cookie if renews_cookie else None,
        )

    async def _identify(self, request: RequestInfo) -> tuple[Identified, bool]:
        """Who is asking, and whether the answer is to send their cookie again."""
        runtime, bearer = self.runtime, request.bearer_token
        # only what was sent on purpose: a cookie is sent along by pages of others too
        if runtime.issuer is not None and bearer is not None and looks_like_token(bearer):
            caller = await oidc_identities.authenticate(
                runtime.database, runtime.issuer, runtime.keys, bearer, runtime.trials
            )
            return Identified(caller), False
        if bearer is None and request.session_cookie is not None and request.takes_cookies:
            return await sessions.identify_by_cookie(runtime.database, request.session_cookie)
        token = bearer or request.session_cookie
        return Identified() if token is None else await sessions.identify(runtime.database, token), False
