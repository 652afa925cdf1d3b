"""A cache of an issuer's keys: fetched again before they expire, at most every few seconds, and usable while it is unreachable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from app.errors import Unavailable
from app.oidc.json_fetch import NotFetched
from app.oidc.signing_keys import KeySet

DEFAULT_AGE_SECONDS: Final = 600.0
SHORTEST_AGE_SECONDS: Final = 60.0
LONGEST_AGE_SECONDS: Final = 3_600.0
# while the issuer can't be reached, the last keys stay in use for so long after they were fetched
USABLE_WHILE_AWAY_SECONDS: Final = 6 * 3_600.0
# between two fetches, however many tokens name unknown keys
FETCH_PAUSE_SECONDS: Final = 10.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class IssuerUnavailable(Unavailable):
    """The identity provider can't be reached right now; try again."""


@dataclass(frozen=True, slots=True)
class Published:
    """What an issuer publishes: its keys, how long they may be cached, and the URL of userinfo."""

    keys: KeySet
    max_age_seconds: int | None
    userinfo_url: str | None


@dataclass(frozen=True, slots=True)
class _Fetched:
    published: Published
    at: float
    fresh_until: float


class KeyCache:
    """Keeps what `fetch` returned last. `monotonic` is the clock, in seconds.

    Fetches again in the background at half the age that the issuer allows; before it answers, once that age has passed or when a
    caller asks for newer keys; and never sooner than `FETCH_PAUSE_SECONDS` after the last fetch. Concurrent callers share a fetch.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Published]], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._last: _Fetched | None = None
        self._has_failed = False
        self._not_before = float("-inf")
        self._fetching: asyncio.Task[Published | None] | None = None

    async def current(self) -> Published:
        """What the issuer publishes, from the cache or fetched; older than the issuer allows if it can't be reached.

        Raises `IssuerUnavailable` when there is nothing usable.
        """
        last, now = self._last, self._monotonic()
        if last is not None and now < last.fresh_until:
            if now >= (last.at + last.fresh_until) / 2:
                self._start_fetch()
            return last.published
        usable = last.published if last is not None and now < last.at + USABLE_WHILE_AWAY_SECONDS else None
        if usable is not None and self._has_failed:
            # the last fetch failed: callers do not wait for the next one
            self._start_fetch()
            return usable
        found = await self._wait_for_fetch()
        published = found or usable
        if published is None:
            raise IssuerUnavailable
        return published

    async def newer_than(self, known: Published) -> Published:
        """What the issuer publishes now, or `known` right after a fetch; raises `IssuerUnavailable` if the last fetch failed."""
        if self._last is not None and self._last.published is not known:
            return self._last.published
        found = await self._wait_for_fetch()
        if found is None and self._has_failed:
            raise IssuerUnavailable
        return found or known

    async def aclose(self) -> None:
        """Cancel a fetch."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _wait_for_fetch(self) -> Published | None:
        fetching = self._start_fetch()
        return await asyncio.shield(fetching) if fetching is not None else None

    def _start_fetch(self) -> asyncio.Task[Published | None] | None:
        """The running fetch, or a new one; None if the last one began too recently."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._monotonic() < self._not_before:
            return None
        self._not_before = self._monotonic() + FETCH_PAUSE_SECONDS
        self._fetching = asyncio.create_task(self._fetch_and_keep())
        return self._fetching

    async def _fetch_and_keep(self) -> Published | None:
        try:
            published = await self._fetch()
        except NotFetched as failure:
            self._has_failed = True
            _log.warning("oidc.keys_not_fetched", reason=str(failure))
            return None
        max_age = DEFAULT_AGE_SECONDS if published.max_age_seconds is None else float(published.max_age_seconds)
        age = min(max(max_age, SHORTEST_AGE_SECONDS), LONGEST_AGE_SECONDS)
        now = self._monotonic()
        self._last = _Fetched(published, now, now + age)
        self._has_failed = False
        return published
