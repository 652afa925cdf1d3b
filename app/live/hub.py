"""The hub: whoever watches something gets its state first and then each newer one, from one reading of the database per process.

It listens first and reads then. After each hint it reads once for all who watch, so that a thousand subscribers cost one read.
Lost hints do no harm: everything watched is read again when the bus listens anew, and every 30 seconds anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, Protocol
from uuid import UUID

import structlog

from app.errors import Unavailable
from app.live.backoff import retry_delay_seconds
from app.live.bus import OnHints, OnListening
from app.live.feed import Feed, Interest, Subscription
from app.live.hints import Hint
from app.live.topics import C, S, Topic

# The regular checks are spread over so many turns, lest all feeds be read at the same moment.
_TURNS: Final = 30
_OUTSIDE_SECONDS: Final = 10.0
# Between so many the others have their turn; more that wait to send at once would also keep the garbage collector busy.
_DELIVERED_AT_ONCE: Final = 100

_log = structlog.get_logger(__name__)


class HintSource(Protocol):
    """What the hub needs of the bus."""

    async def start(self, on_hints: OnHints, on_listening: OnListening) -> None: ...


class Hub(Generic[C]):
    """One per process.

    Hints that come within `coalesce_seconds` after a read share the next one; each feed is checked every `recheck_seconds` even
    without a hint; at most `parallel_reads` reads and checks of rights are under way at once.
    """

    def __init__(
        self,
        bus: HintSource,
        *,
        coalesce_seconds: float = 0.02,
        recheck_seconds: float = 30.0,
        parallel_reads: int = 8,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._bus = bus
        self._coalesce_seconds = coalesce_seconds
        self._recheck_seconds = recheck_seconds
        self._parallel = asyncio.Semaphore(parallel_reads)
        self._pause = pause
        # of any states: each stream knows those of its topic
        self._feeds: dict[tuple[str, UUID], Feed[Any, C]] = {}
        self._feeds_opened = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Start the bus, listen to it, and check every feed in turn from now on."""
        await self._bus.start(self._on_hints, self.recheck)
        self._spawn(self._recheck_in_turns())

    async def aclose(self) -> None:
        """End every subscription with `Unavailable`, which a client can't take for the end of a stream; then stop reading.

        The bus stays open, for the changes that requests still make.
        """
        self._closed = True
        for feed in list(self._feeds.values()):
            for subscription in feed.subscriptions():
                subscription.end(Unavailable("The server is going away; subscribe again."))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def subscribe(
        self, topic: Topic[S, C], workspace_id: UUID, object_id: UUID, *, caller: C
    ) -> AsyncGenerator[S, None]:
        """The object's state as it stands when first asked for, then each newer one, skipping those the reader is too slow for.

        The topic's refusals are asked for before each state that is sent, and at least every 30 seconds, for all callers at once;
        the one for `caller` is raised and ends the stream. An object that does not exist raises `NotFound`, closing the hub
        `Unavailable`. States of one object are the same value for all who watch it.
        """
        return self._stream(topic, workspace_id, object_id, caller, None)

    def subscribe_all(
        self,
        topic: Topic[S, C],
        workspace_id: UUID,
        *,
        opens_with: Callable[[S], bool],
        caller: C,
    ) -> AsyncGenerator[S, None]:
        """Every object of the topic in the workspace: first the present states that `opens_with` picks, then each that is new or
        newer. Everything else is as with `subscribe`."""
        return self._stream(topic, workspace_id, None, caller, opens_with)

    @property
    def open_streams(self) -> int:
        """How many subscriptions there are right now."""
        return sum(len(feed.subscriptions()) for feed in self._feeds.values())

    def recheck(self) -> None:
        """Read everything that is watched again, and check everyone's rights."""
        for feed in self._feeds.values():
            self._recheck(feed)

    async def _stream(
        self,
        topic: Topic[S, C],
        workspace_id: UUID,
        interest: Interest,
        caller: C,
        opens_with: Callable[[S], bool] | None,
    ) -> AsyncGenerator[S, None]:
        if self._closed:
            raise Unavailable
        subscription = Subscription[S, C](interest, caller, opens_with)
        key = topic.name, workspace_id
        feed: Feed[S, C] | None = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(topic, workspace_id, turn=self._feeds_opened % _TURNS)
            self._feeds_opened += 1
        feed.join(subscription)
        self._refresh(feed)
        try:
            while True:
                yield await subscription.take()
        finally:
            feed.leave(subscription)
            if feed.is_empty and self._feeds.get(key) is feed:
                del self._feeds[key]

    def _on_hints(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            feed = self._feeds.get((hint.topic, hint.workspace_id))
            if feed is not None and feed.hint(hint.object_id, hint.version):
                self._refresh(feed)

    async def _recheck_in_turns(self) -> None:
        turn = 0
        while True:
            await self._pause(self._recheck_seconds / _TURNS)
            turn = (turn + 1) % _TURNS
            for feed in self._feeds.values():
                if feed.turn == turn:
                    self._recheck(feed)

    def _recheck(self, feed: Feed[Any, C]) -> None:
        feed.want_all()
        self._refresh(feed)

    def _refresh(self, feed: Feed[Any, C]) -> None:
        if feed.task is None and not self._closed:
            feed.task = self._spawn(self._read_while_wanted(feed))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read_while_wanted(self, feed: Feed[Any, C]) -> None:
        failures = 0
        while wanted := feed.begin_read():
            try:
                await self._read_and_deliver(feed, wanted)
                failures = 0
                delay = self._coalesce_seconds
            except Exception as error:
                feed.want(wanted)
                failures += 1
                delay = retry_delay_seconds(failures)
                if failures == 1:
                    _log.warning("live.read_failed", topic=feed.topic.name, exc_info=error)
            await self._pause(delay)
        feed.task = None

    async def _read_and_deliver(self, feed: Feed[S, C], wanted: frozenset[Interest]) -> None:
        """Read, check the rights, send. Who may not go on is ended; raises where that is not known, to try again."""
        async with self._parallel, asyncio.timeout(_OUTSIDE_SECONDS):
            states = await _read(feed.topic, feed.workspace_id, wanted)
            audience = feed.audience(wanted)
            refusals = await feed.topic.refusals(feed.workspace_id, [subscription.caller for subscription in audience])
        if refusals:
            for subscription in audience:
                if (refusal := refusals.get(subscription.caller)) is not None:
                    feed.end(subscription, refusal)
            audience = [subscription for subscription in audience if subscription.caller not in refusals]
        for start in range(0, len(audience), _DELIVERED_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            feed.deliver(wanted, states, audience[start : start + _DELIVERED_AT_ONCE])


async def _read(topic: Topic[S, C], workspace_id: UUID, wanted: frozenset[Interest]) -> Sequence[S]:
    states = list(await topic.read(workspace_id, None)) if None in wanted else []
    found = {state.object_id for state in states}
    rest = frozenset(interest for interest in wanted if interest is not None and interest not in found)
    if rest:
        states += await topic.read(workspace_id, rest)
    return states
