"""Encode once: subscribers with the same document, variables and rights who get the very same event share its encoded result."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeAlias

Results: TypeAlias = dict[Hashable, "tuple[str, float] | asyncio.Future[str | None]"]
"""By key: a text and the monotonic time after which it is old, or one that is just being made."""

Encode = Callable[[], Awaitable[tuple[str, bool]]]
"""Executes and encodes an event; the flag says whether the text holds for every subscriber with the same key."""


# Long enough for everyone who watches one change, too short for anything else in an answer to become old.
_SHARED_SECONDS = 1.0


class SharedResults:
    """Encoded results by event, kept for a second and no longer than the event object lives."""

    def __init__(self) -> None:
        self._by_event: dict[int, tuple[weakref.ref[object], Results]] = {}

    def __len__(self) -> int:
        return len(self._by_event)

    def known(self, event: object, key: Hashable) -> str | None:
        """The result for `event` if it is there already, as it is for all but the first of many: at the price of a look-up."""
        known = self._by_event.get(id(event))
        if known is None:
            return None
        result = known[1].get(key)
        return result[0] if isinstance(result, tuple) and time.monotonic() < result[1] else None

    async def encoded(self, event: object, key: Hashable, encode: Encode) -> str:
        """The result for `event`, encoded by the first of all callers with this key; the others wait for it.

        A result that must not be shared, for example because it holds errors, or that failed, is made anew for each caller.
        """
        known = self.known(event, key)
        if known is not None:
            return known
        results = self._results_of(event)
        if results is None:
            return (await encode())[0]
        pending = results.get(key)
        if isinstance(pending, asyncio.Future):
            text = await asyncio.shield(pending)
            return text if text is not None else (await encode())[0]
        return await self._encode_first(results, key, encode)

    async def _encode_first(self, results: Results, key: Hashable, encode: Encode) -> str:
        pending: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        results[key] = pending
        shared: str | None = None
        try:
            text, shareable = await encode()
            shared = text if shareable else None
            return text
        finally:
            if shared is None:
                del results[key]
            else:
                results[key] = (shared, time.monotonic() + _SHARED_SECONDS)
            pending.set_result(shared)

    def _results_of(self, event: object) -> Results | None:
        identity = id(event)
        known = self._by_event.get(identity)
        if known is not None:
            return known[1]
        try:
            reference = weakref.ref(event, lambda _gone: self._by_event.pop(identity, None))
        except TypeError:
            return None  # an object without weak references can't tell when it is gone
        results: Results = {}
        self._by_event[identity] = (reference, results)
        return results
