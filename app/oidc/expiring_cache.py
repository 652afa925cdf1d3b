"""An in-memory cache and a set whose entries expire, both with a limit on the number of entries."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentKeys:
    """A set of at most `most` keys, each for `seconds` on the clock `monotonic`."""

    def __init__(self, *, most: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._until: OrderedDict[Hashable, float] = OrderedDict()

    def add(self, key: Hashable) -> bool:
        """Add a key; True if it was not in the set."""
        now = self._monotonic()
        if self._until.get(key, now) > now:
            return False
        self._until.pop(key, None)
        if len(self._until) >= self._most:
            self._until.popitem(last=False)
        self._until[key] = now + self._seconds
        return True


class ExpiringCache(Generic[K, V]):
    """A cache of at most `most` values, each for `seconds` on the clock `monotonic`; concurrent readers of a key share one load."""

    def __init__(self, *, most: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._entries: OrderedDict[K, tuple[float, asyncio.Task[V]]] = OrderedDict()

    async def get(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        """The cached value of `key`, or what `load` returns, which is then cached; what it raises is not."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._monotonic():
            self._evict()
            entry = (self._monotonic() + self._seconds, asyncio.create_task(self._load(key, load)))
            self._entries[key] = entry
        return await asyncio.shield(entry[1])

    def __len__(self) -> int:
        return len(self._entries)

    async def _load(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        try:
            return await load()
        except BaseException:
            self._entries.pop(key, None)
            raise

    def _evict(self) -> None:
        now = self._monotonic()
        while self._entries and (len(self._entries) >= self._most or next(iter(self._entries.values()))[0] <= now):
            self._entries.popitem(last=False)
