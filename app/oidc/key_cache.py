"""An issuer's keys as they were last seen: kept for a while, asked for again in good time, and never often."""

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
# while the issuer can't be asked its keys go on being good for so long since they were last seen
USABLE_SECONDS: Final = 6 * 3_600.0
# however many tokens name keys that are not there
PAUSE_SECONDS: Final = 10.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class IssuerUnavailable(Unavailable):
    """The identity provider can't be reached right now; try again."""


@dataclass(frozen=True, slots=True)
class Published:
    """What an issuer publishes: its keys, how long they may be kept, and where it tells more of the holder of a token."""

    keys: KeySet
    max_age_seconds: int | None
    userinfo_url: str | None


@dataclass(frozen=True, slots=True)
class _Seen:
    published: Published
    at: float
    fresh_until: float


class KeyCache:
    """What `look` saw last. `tick` counts seconds.

    Looks again at half the age that the issuer allows, while nobody waits, and when it has passed, while everybody waits; when
    somebody asks for newer ones; and in no case sooner than `PAUSE_SECONDS` after the look before. One look serves all who wait.
    """

    def __init__(self, look: Callable[[], Awaitable[Published]], tick: Callable[[], float]) -> None:
        self._look = look
        self._tick = tick
        self._seen: _Seen | None = None
        self._has_failed = False
        self._not_before = float("-inf")
        self._looking: asyncio.Task[Published | None] | None = None

    async def current(self) -> Published:
        """What the issuer publishes, as old as it allows, or older where it can't be asked; raises `IssuerUnavailable`."""
        seen, now = self._seen, self._tick()
        if seen is not None and now < seen.fresh_until:
            if now >= (seen.at + seen.fresh_until) / 2:
                self._begin()
            return seen.published
        usable = seen.published if seen is not None and now < seen.at + USABLE_SECONDS else None
        if usable is not None and self._has_failed:
            # it was away a moment ago: nobody waits to learn whether it still is
            self._begin()
            return usable
        found = await self._looked()
        if found is None and usable is None:
            raise IssuerUnavailable
        return found or usable or _impossible()

    async def newer_than(self, known: Published) -> Published:
        """What the issuer publishes now, or `known` where it was asked a moment ago; raises `IssuerUnavailable` when it is away."""
        if self._seen is not None and self._seen.published is not known:
            return self._seen.published
        found = await self._looked()
        if found is None and self._has_failed:
            raise IssuerUnavailable
        return found or known

    async def aclose(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _looked(self) -> Published | None:
        looking = self._begin()
        return await asyncio.shield(looking) if looking is not None else None

    def _begin(self) -> asyncio.Task[Published | None] | None:
        """The look under way, or a new one; None where the last is too recent."""
        if self._looking is not None and not self._looking.done():
            return self._looking
        if self._tick() < self._not_before:
            return None
        self._not_before = self._tick() + PAUSE_SECONDS
        self._looking = asyncio.create_task(self._see())
        return self._looking

    async def _see(self) -> Published | None:
        try:
            published = await self._look()
        except NotFetched as failure:
            self._has_failed = True
            _log.warning("federation.keys_not_fetched", reason=str(failure))
            return None
        allowed = DEFAULT_AGE_SECONDS if published.max_age_seconds is None else float(published.max_age_seconds)
        age = min(max(allowed, SHORTEST_AGE_SECONDS), LONGEST_AGE_SECONDS)
        now = self._tick()
        self._seen = _Seen(published, now, now + age)
        self._has_failed = False
        return published


def _impossible() -> Published:
    raise AssertionError("there is either something new or something usable")
