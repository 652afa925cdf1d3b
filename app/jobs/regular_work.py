"""Work without due times in the database: done from time to time, by the real time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from app.flows import provider_events
from app.flows.flow_context import FlowContext
from app.store import provider_events as provider_event_store

# as long as the provider keeps its events
EVENTS_KEPT = timedelta(days=30)
# what happened less long ago may be on its way
_DELIVERED_WITHIN = timedelta(seconds=30)
# events do not come into the provider's list in exactly the order of their times
_LOOKS_OVERLAP = timedelta(minutes=10)
# a process that ended may have missed some before the newest that it received
_FIRST_LOOK_OVERLAPS = timedelta(hours=1)


class Every:
    """Work without due times in the database: done at once, then again each time `interval` of real time has passed.

    Without `at_once` the first time is when the interval has passed.
    """

    def __init__(
        self,
        flow_context: FlowContext,
        interval: timedelta,
        work: Callable[[], Awaitable[int]],
        *,
        at_once: bool = True,
    ) -> None:
        self._clock = flow_context.database.clock
        self._interval = interval
        self._work = work
        self._next: datetime | None = None if at_once else self._clock.real_now() + interval

    async def run(self) -> int:
        now = self._clock.real_now()
        if self._next is not None and now < self._next:
            return 0
        self._next = now + self._interval
        return await self._work()


class MissedEvents:
    """The events that never arrived, looked for in the provider's list since the last look."""

    def __init__(self, flow_context: FlowContext, event_types: Sequence[str]) -> None:
        self._context = flow_context
        self._event_types = event_types
        self._looked_until: datetime | None = None

    async def receive(self) -> int:
        now = self._context.database.clock.now()
        since = await self._since(now)
        until = now - _DELIVERED_WITHIN
        missed = await provider_events.receive_missed(self._context, self._event_types, since=since, until=until)
        self._looked_until = until
        return missed

    async def _since(self, now: datetime) -> datetime:
        if self._looked_until is not None:
            return self._looked_until - _LOOKS_OVERLAP
        async with self._context.database.read() as session:
            newest = await provider_event_store.newest_at(session)
        return max((newest or now) - _FIRST_LOOK_OVERLAPS, now - EVENTS_KEPT)
