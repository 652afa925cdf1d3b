"""Encode once: subscribers with the same document, variables and rights who get the very same event share its encoded result."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeAlias

Results: TypeAlias = dict[Hashable, "tuple[str, float] | asyncio.Future[str | None]"]
"""By key: a text and the loop's time after which it is old, or one that is just being made."""

Encode = Callable[[], Awaitable[tuple[str, bool]]]
"""Executes and encodes an event; the flag says whether the text holds for every subscriber with the same key."""


# Long enough for everyone who is told of one change, too short for what else an answer tells to have become old.
_SHARED_SECONDS = 1.0


class SharedResults:
    """Encoded results by event, kept for a second and no longer than the event object lives.

    An event that is yielded as a new object for each subscriber can name what it stands for in an attribute `shared_state`; the
    results are then kept with that object.
    """

    def __init__(self) -> None:
        self._by_state: dict[int, tuple[weakref.ref[object], Results]] = {}

    def __len__(self) -> int:
        return len(self._by_state)

    async def encoded(self, event: object, key: Hashable, encode: Encode) -> str:
        """The result for `event`, encoded by the first of all callers with this key; the others wait for it.

        A result that must not be shared, for example because it holds errors, or that failed, is made anew for each caller.
        """
        results = self._results_of(getattr(event, "shared_state", event))
        if results is None:
            return (await encode())[0]
        known = results.get(key)
        if isinstance(known, tuple):
            if asyncio.get_running_loop().time() < known[1]:
                return known[0]
        elif known is not None:
            text = await asyncio.shield(known)
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
                results[key] = (shared, asyncio.get_running_loop().time() + _SHARED_SECONDS)
            pending.set_result(shared)

    def _results_of(self, state: object) -> Results | None:
        identity = id(state)
        known = self._by_state.get(identity)
        if known is not None:
            return known[1]
        try:
            reference = weakref.ref(state, lambda _gone: self._by_state.pop(identity, None))
        except TypeError:
            return None  # an object without weak references can't tell when it is gone
        results: Results = {}
        self._by_state[identity] = (reference, results)
        return results
