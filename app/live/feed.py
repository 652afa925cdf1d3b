"""A feed: one topic of one workspace in this process, who watches it, the newest states known, and what must be read again.

Nothing here waits or reads: the hub does, one read of a feed at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Generic, TypeAlias
from uuid import UUID

from app.errors import NotFound, ProtocolError
from app.live.topics import C, S, Topic

Interest: TypeAlias = UUID | None
"""An object, or None: every object of the feed."""


class Subscription(Generic[S, C]):
    """One subscriber's slots: per object the newest state that it has not taken yet."""

    __slots__ = ("_end", "_loop", "_offered", "_slots", "_waiter", "caller", "interest", "opens_with")

    def __init__(self, interest: Interest, caller: C, opens_with: Callable[[S], bool] | None) -> None:
        self.interest = interest
        self.caller = caller
        self.opens_with = opens_with
        """Which of the first states are sent (None: all); the others count as seen. Set to None once they were."""
        self._loop = asyncio.get_running_loop()
        self._offered: dict[UUID, int] = {}
        self._slots: dict[UUID, S] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._end: ProtocolError | None = None

    def offer(self, state: S) -> None:
        """Put the state in its object's slot, in place of an older one, unless this or a newer version was there before."""
        if self._mark_seen(state):
            self._slots[state.object_id] = state
            self._wake()

    def open(self, states: Iterable[S]) -> None:
        """Offer the first states, where `opens_with` wants them."""
        wants, self.opens_with = self.opens_with, None
        for state in states:
            if wants is None or wants(state):
                self.offer(state)
            else:
                self._mark_seen(state)

    def end(self, error: ProtocolError) -> None:
        """Let the subscriber see the error next; what it has not taken yet is withdrawn."""
        self._end = error
        self._slots.clear()
        self._wake()

    async def take(self) -> S:
        """The next state, as soon as there is one; raises what the subscription was ended with."""
        while not self._slots:
            if self._end is not None:
                raise self._end.with_traceback(None)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._slots.pop(next(iter(self._slots)))

    def _mark_seen(self, state: S) -> bool:
        offered = self._offered.get(state.object_id)
        if offered is not None and state.version <= offered:
            return False
        self._offered[state.object_id] = state.version
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Feed(Generic[S, C]):
    """See the module. `turn` says when its regular check is due."""

    def __init__(self, topic: Topic[S, C], workspace_id: UUID, turn: int) -> None:
        self.topic = topic
        self.workspace_id = workspace_id
        self.turn = turn
        self.task: asyncio.Task[None] | None = None
        """Reads for this feed, while something is to be read."""
        self._states: dict[UUID, S] = {}
        self._members: dict[Interest, set[Subscription[S, C]]] = {}
        self._joining: set[Subscription[S, C]] = set()
        self._wanted: set[Interest] = set()
        self._hinted: dict[UUID, int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nobody watches."""
        return not self._members and not self._joining

    def subscriptions(self) -> list[Subscription[S, C]]:
        """Everyone who watches."""
        return [*self._joining, *(member for members in self._members.values() for member in members)]

    def join(self, subscription: Subscription[S, C]) -> None:
        """Begin to watch: with the next read that begins, not with one under way, which may be older than the subscriber's wish."""
        self._joining.add(subscription)
        self._wanted.add(subscription.interest)

    def leave(self, subscription: Subscription[S, C]) -> None:
        """Stop watching; states that nobody watches any more are forgotten."""
        self._joining.discard(subscription)
        members = self._members.get(subscription.interest)
        if members is None:
            return
        members.discard(subscription)
        if not members:
            del self._members[subscription.interest]
            for object_id in [object_id for object_id in self._states if not self._is_watched(object_id)]:
                del self._states[object_id]

    def hint(self, object_id: UUID, version: int) -> bool:
        """Note that the object has reached the version; false where nobody watches it."""
        if not self._is_watched(object_id):
            return False
        self._hinted[object_id] = max(version, self._hinted.get(object_id, version))
        return True

    def want(self, interests: Iterable[Interest]) -> None:
        """Have these read again."""
        self._wanted.update(interests)

    def want_all(self) -> None:
        """Have everything that is watched read again."""
        self._wanted.update(self._members)

    def begin_read(self) -> frozenset[Interest]:
        """What to read now; empty when there is nothing. Who joined until now is part of the audience of this read."""
        for subscription in self._joining:
            self._members.setdefault(subscription.interest, set()).add(subscription)
        self._joining.clear()
        wanted = {interest for interest in self._wanted if self._is_watched(interest)}
        wanted.update(
            object_id
            for object_id, version in self._hinted.items()
            if self._is_watched(object_id) and not self._knows(object_id, version)
        )
        self._wanted.clear()
        self._hinted.clear()
        return frozenset(wanted)

    def audience(self, wanted: Iterable[Interest]) -> list[Subscription[S, C]]:
        """Whom a read of these concerns."""
        interests = {None, *wanted}
        return [member for interest in interests for member in self._members.get(interest, ())]

    def end(self, subscription: Subscription[S, C], error: ProtocolError) -> None:
        """Let the subscriber see the error next, and nothing after it."""
        self.leave(subscription)
        subscription.end(error)

    def deliver(
        self, wanted: Collection[Interest], states: Sequence[S], audience: Iterable[Subscription[S, C]]
    ) -> None:
        """Offer what was read; whose object does not exist is ended with `NotFound`.

        A newer state that is known already stands for an older one that was read, and an equal one too: all subscribers of an
        object get the very same value.
        """
        newest = {state.object_id: self._newest(state) for state in states}
        for subscription in audience:
            interest = subscription.interest
            if interest is None and subscription.opens_with is not None:
                subscription.open(newest.values())
            elif interest is None:
                for state in newest.values():
                    subscription.offer(state)
            elif interest in newest:
                subscription.offer(newest[interest])
            elif interest in wanted:
                self.end(subscription, NotFound())

    def _newest(self, state: S) -> S:
        known = self._states.get(state.object_id)
        if known is not None and known.version >= state.version:
            return known
        self._states[state.object_id] = state
        return state

    def _knows(self, object_id: UUID, version: int) -> bool:
        known = self._states.get(object_id)
        return known is not None and known.version >= version

    def _is_watched(self, interest: Interest) -> bool:
        return interest in self._members or None in self._members
