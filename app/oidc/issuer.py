"""The host product's identity provider: finds its keys, judges its tokens, and asks it about their holders."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

import structlog

from app.oidc.expiring_cache import Recent, Remembered
from app.oidc.json_fetch import Fetcher, NotFetched, Resolve
from app.oidc.key_cache import IssuerUnavailable, KeyCache, Published
from app.oidc.signing_keys import read_keys
from app.oidc.tokens import Profile, TokenClaims, profile_of, read_token

_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_MOST_PROFILES: Final = 1_000
_PROFILE_SECONDS: Final = 60.0
_COMPLAINT_SECONDS: Final = 3_600.0
# the token is good, but not for this: the issuer won't tell more of its holder
_NOT_TOLD: Final = frozenset({400, 401, 403, 404})

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Issuer:
    """One OIDC issuer, whose tokens are taken if they are meant for one of `audiences`.

    `url` is the issuer exactly as it names itself. `tick` counts the seconds that keys are kept for; `resolve` looks host names up.
    """

    def __init__(
        self,
        url: str,
        audiences: Collection[str],
        *,
        tick: Callable[[], float] = time.monotonic,
        resolve: Resolve | None = None,
    ) -> None:
        self.url = url
        self._audiences = frozenset(audiences)
        self._fetcher = Fetcher(url, resolve)
        self._published = KeyCache(self._look, tick)
        self._profiles: Remembered[bytes, Profile] = Remembered(
            most=_MOST_PROFILES, seconds=_PROFILE_SECONDS, tick=tick
        )

        self._complaints = Recent(most=_MOST_PROFILES, seconds=_COMPLAINT_SECONDS, tick=tick)

    async def verify(self, token: str, now: datetime) -> TokenClaims | None:
        """What a token says, if it is one of this issuer's, for us, good at `now` and signed; None for any other.

        Raises `IssuerUnavailable` when that can't be told, since its keys can't be had.
        """
        read = read_token(token, issuer=self.url, audiences=self._audiences, now=now)
        if read is None:
            return None
        published = await self._published.current()
        if published.keys.signed(read):
            return read.claims
        if published.keys.has(read):
            return None
        # signed, it may be, with a key that came since
        newer = await self._published.newer_than(published)
        return read.claims if newer is not published and newer.keys.signed(read) else None

    async def profile(self, token: str, claims: TokenClaims) -> Profile:
        """What the issuer says of the holder of a verified token: in it or, where it names no address, when asked.

        Nothing where it won't tell. Raises `IssuerUnavailable`.
        """
        if claims.profile.email is not None:
            return claims.profile
        url = (await self._published.current()).userinfo_url
        if url is None:
            return claims.profile
        # the token itself is not kept, only what it is known by
        key = hashlib.sha256(token.encode()).digest()
        return await self._profiles.get(key, lambda: self._ask(url, token, claims))

    def is_first_complaint(self, about: str) -> bool:
        """Whether nothing was logged about this person in the last hour: what stays wrong is not logged with each request."""
        return self._complaints.is_first(about)

    async def aclose(self) -> None:
        """Stop asking, and close the connections."""
        await self._published.aclose()
        await self._fetcher.aclose()

    async def _look(self) -> Published:
        described = (await self._fetcher.get(self.url.rstrip("/") + _DISCOVERY_PATH)).members
        if described.get("issuer") != self.url:
            raise NotFetched("it names another issuer")
        keys_url, userinfo_url = described.get("jwks_uri"), described.get("userinfo_endpoint")
        if not isinstance(keys_url, str):
            raise NotFetched("it does not say where its keys are")
        document = await self._fetcher.get(keys_url)
        keys = read_keys(document.members)
        if keys is None or not keys.keys:
            raise NotFetched("there is no key in it that may sign")
        return Published(keys, document.max_age_seconds, userinfo_url if isinstance(userinfo_url, str) else None)

    async def _ask(self, url: str, token: str, claims: TokenClaims) -> Profile:
        try:
            told = (await self._fetcher.get(url, bearer_token=token)).members
        except NotFetched as failure:
            if failure.status in _NOT_TOLD:
                return claims.profile
            _log.warning("federation.userinfo_not_fetched", reason=str(failure))
            raise IssuerUnavailable from None
        if told.get("sub") != claims.subject:
            _log.warning("federation.userinfo_of_another")
            return claims.profile
        return profile_of(told)
