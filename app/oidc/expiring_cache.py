"""What was learned a moment ago, so that it need not be asked again: bounded in number and in time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent:
    """What happened in the last `seconds` of the clock `tick`, at most `most` of it."""

    def __init__(self, *, most: int, seconds: float, tick: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._tick = tick
        self._until: OrderedDict[Hashable, float] = OrderedDict()

    def is_first(self, key: Hashable) -> bool:
        """Whether `key` was not seen lately; it is from now on."""
        now = self._tick()
        if self._until.get(key, now) > now:
            return False
        self._until.pop(key, None)
        if len(self._until) >= self._most:
            self._until.popitem(last=False)
        self._until[key] = now + self._seconds
        return True


class Remembered(Generic[K, V]):
    """At most `most` answers, each for `seconds` of the clock `tick`; of those who ask at once for the same, one asks for all."""

    def __init__(self, *, most: int, seconds: float, tick: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._tick = tick
        self._answers: OrderedDict[K, tuple[float, asyncio.Task[V]]] = OrderedDict()

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """What is remembered under `key`, or what `ask` returns, remembered from now on; what it raises is not remembered."""
        known = self._answers.get(key)
        if known is None or known[0] <= self._tick():
            self._forget_old()
            known = (self._tick() + self._seconds, asyncio.create_task(self._asked(key, ask)))
            self._answers[key] = known
        return await asyncio.shield(known[1])

    def __len__(self) -> int:
        return len(self._answers)

    async def _asked(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        try:
            return await ask()
        except BaseException:
            self._answers.pop(key, None)
            raise

    def _forget_old(self) -> None:
        now = self._tick()
        while self._answers and (len(self._answers) >= self._most or next(iter(self._answers.values()))[0] <= now):
            self._answers.popitem(last=False)
