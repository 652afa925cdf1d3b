"""The host product's identity provider: verifies its tokens, with its published keys, and fetches the profiles of their holders."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

import structlog

from app.oidc.expiring_cache import ExpiringCache, RecentKeys
from app.oidc.json_fetch import Fetcher, NotFetched, Resolve
from app.oidc.key_cache import IssuerUnavailable, KeyCache, Published
from app.oidc.signing_keys import read_keys
from app.oidc.tokens import Profile, TokenClaims, profile_of, read_token

_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_MOST_PROFILES: Final = 1_000
_PROFILE_SECONDS: Final = 60.0
_WARNING_PAUSE_SECONDS: Final = 3_600.0
# statuses of userinfo for a valid token whose holder's profile the issuer does not give
_PROFILE_REFUSED: Final = frozenset({400, 401, 403, 404})

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Issuer:
    """One OIDC issuer, whose tokens are accepted if they are for one of `audiences`.

    `url` is the issuer exactly as it names itself. `monotonic` is the clock in seconds by which caches expire; `resolve` looks host
    names up.
    """

    def __init__(
        self,
        url: str,
        audiences: Collection[str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        resolve: Resolve | None = None,
    ) -> None:
        self.url = url
        self._audiences = frozenset(audiences)
        self._fetcher = Fetcher(url, resolve)
        self._published = KeyCache(self._fetch_published, monotonic)
        self._profiles: ExpiringCache[bytes, Profile] = ExpiringCache(
            most=_MOST_PROFILES, seconds=_PROFILE_SECONDS, monotonic=monotonic
        )
        self._recently_warned = RecentKeys(most=_MOST_PROFILES, seconds=_WARNING_PAUSE_SECONDS, monotonic=monotonic)

    async def verify(self, token: str, now: datetime) -> TokenClaims | None:
        """The claims of a token, if it is this issuer's, for us, valid at `now`, and signed by one of its keys; None for any other.

        Raises `IssuerUnavailable` when the issuer's keys are needed and can't be fetched.
        """
        read = read_token(token, issuer=self.url, audiences=self._audiences, now=now)
        if read is None:
            return None
        published = await self._published.current()
        if published.keys.has_signed(read):
            return read.claims
        if published.keys.has(read):
            return None
        # it may be signed with a key that was published later
        newer = await self._published.newer_than(published)
        return read.claims if newer is not published and newer.keys.has_signed(read) else None

    async def profile(self, token: str, claims: TokenClaims) -> Profile:
        """The profile of the holder of a verified token: from the token or, if that has no address, from the issuer's userinfo.

        An empty one where the issuer does not give it. Raises `IssuerUnavailable`.
        """
        if claims.profile.email is not None:
            return claims.profile
        url = (await self._published.current()).userinfo_url
        if url is None:
            return claims.profile
        # the token itself is not kept in memory, only its hash
        key = hashlib.sha256(token.encode()).digest()
        return await self._profiles.get(key, lambda: self._fetch_profile(url, token, claims))

    def is_first_warning(self, subject: str) -> bool:
        """Whether to log a warning about this subject: True at most once in `_WARNING_PAUSE_SECONDS`, not for every request."""
        return self._recently_warned.add(subject)

    async def aclose(self) -> None:
        """Cancel fetches, and close the connections."""
        await self._published.aclose()
        await self._fetcher.aclose()

    async def _fetch_published(self) -> Published:
        discovery = (await self._fetcher.get(self.url.rstrip("/") + _DISCOVERY_PATH)).members
        if discovery.get("issuer") != self.url:
            raise NotFetched("it names another issuer")
        keys_url, userinfo_url = discovery.get("jwks_uri"), discovery.get("userinfo_endpoint")
        if not isinstance(keys_url, str):
            raise NotFetched("it does not say where its keys are")
        document = await self._fetcher.get(keys_url)
        keys = read_keys(document.members)
        if keys is None or not keys.keys:
            raise NotFetched("there is no key in it that may sign")
        return Published(keys, document.max_age_seconds, userinfo_url if isinstance(userinfo_url, str) else None)

    async def _fetch_profile(self, url: str, token: str, claims: TokenClaims) -> Profile:
        try:
            userinfo = (await self._fetcher.get(url, bearer_token=token)).members
        except NotFetched as failure:
            if failure.status in _PROFILE_REFUSED:
                return claims.profile
            _log.warning("oidc.userinfo_not_fetched", reason=str(failure))
            raise IssuerUnavailable from None
        if userinfo.get("sub") != claims.subject:
            _log.warning("oidc.userinfo_of_another")
            return claims.profile
        return profile_of(userinfo)
