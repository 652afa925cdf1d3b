"""A bus, a database and a time that tests steer by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.errors import ProtocolError
from app.live import Hint, Hub, Topic, Versioned
from app.live.bus import OnHints, OnListening

TOPIC = "credit_purchase"
COALESCE_SECONDS = 0.02
RECHECK_SECONDS = 30.0


async def settle() -> None:
    """Let everything run that needs no time to pass."""
    for _ in range(60):
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class State:
    object_id: UUID
    version: int


class ManualTime:
    """Seconds pass only in `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    async def pause(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while self._sleepers and min(self._sleepers)[0] <= end:
            due = min(self._sleepers)
            self._sleepers.remove(due)
            self.now = max(self.now, due[0])
            if not due[2].done():
                due[2].set_result(None)
            await settle()
        self.now = end


class FakeBus:
    """Delivers a hint when the test says so."""

    async def start(self, on_hints: OnHints, on_listening: OnListening) -> None:
        self.deliver = on_hints
        self.listen_anew = on_listening
        on_listening()


@dataclass
class FakeDatabase:
    """Versions of objects by workspace. Reads see them as they are when the read begins."""

    versions: dict[UUID, dict[UUID, int]] = field(default_factory=dict[UUID, dict[UUID, int]])
    reads: list[tuple[UUID, frozenset[UUID] | None]] = field(default_factory=list[tuple[UUID, frozenset[UUID] | None]])
    fails: bool = False
    lag: int = 0
    """How many versions behind a read is, as from a replica."""
    held: asyncio.Event | None = None
    """While set to an event that is not set, reads that have begun don't end."""

    def write(self, workspace_id: UUID, object_id: UUID) -> Hint:
        objects = self.versions.setdefault(workspace_id, {})
        objects[object_id] = objects.get(object_id, 0) + 1
        return Hint(TOPIC, workspace_id, object_id, objects[object_id])

    async def read(self, workspace_id: UUID, object_ids: frozenset[UUID] | None) -> Sequence[State]:
        self.reads.append((workspace_id, object_ids))
        if self.fails:
            raise ConnectionError("the database is down")
        objects = self.versions.get(workspace_id, {})
        wanted = objects.keys() if object_ids is None else objects.keys() & object_ids
        states = [State(object_id, max(1, objects[object_id] - self.lag)) for object_id in wanted]
        if self.held is not None:
            await self.held.wait()
        return states


class Rights:
    """Who may go on; `checks` counts how often each caller was asked for, `rounds` how often all of them were."""

    def __init__(self) -> None:
        self.revoked: dict[str, ProtocolError] = {}
        self.unreachable = False
        self.checks: Counter[str] = Counter()
        self.rounds = 0

    async def refusals(self, _workspace_id: UUID, callers: Collection[str]) -> Mapping[str, ProtocolError]:
        self.checks.update(callers)
        self.rounds += 1
        if self.unreachable:
            raise ConnectionError("the sessions can't be read")
        return {caller: refusal for caller, refusal in self.revoked.items() if caller in callers}


class Watcher:
    """A subscriber that takes whatever comes at once; `error` is what ended it."""

    def __init__(self, stream: AsyncGenerator[Versioned, None]) -> None:
        self.states: list[Versioned] = []
        self.error: ProtocolError | None = None
        self._stream = stream
        self._grew = asyncio.Event()
        self._task = asyncio.create_task(self._watch())

    @property
    def versions(self) -> list[int]:
        return [state.version for state in self.states]

    async def reach(self, version: int) -> None:
        """Wait until the newest state has the version."""
        while not self.states or self.states[-1].version < version:
            self._grew.clear()
            await self._grew.wait()

    async def stop(self) -> None:
        """Go away as a connection does: in the middle of waiting."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._stream.aclose()

    async def _watch(self) -> None:
        try:
            async for state in self._stream:
                self.states.append(state)
                self._grew.set()
        except ProtocolError as error:
            self.error = error


class World:
    """A hub whose bus, database, rights and time are doubles."""

    def __init__(self) -> None:
        self.time = ManualTime()
        self.bus = FakeBus()
        self.database = FakeDatabase()
        self.rights = Rights()
        self.topic = Topic(TOPIC, self.database.read, self.rights.refusals)
        self.hub = Hub[str](
            self.bus,
            coalesce_seconds=COALESCE_SECONDS,
            recheck_seconds=RECHECK_SECONDS,
            pause=self.time.pause,
        )

    def stream(self, workspace_id: UUID, object_id: UUID, caller: str = "session") -> AsyncGenerator[State, None]:
        return self.hub.subscribe(self.topic, workspace_id, object_id, caller=caller)

    def stream_all(
        self, workspace_id: UUID, caller: str = "session", *, since: int | None = None
    ) -> AsyncGenerator[State, None]:
        """Every object of the workspace, beginning with those whose version is above `since` (None: with none)."""
        return self.hub.subscribe_all(
            self.topic,
            workspace_id,
            opens_with=lambda state: since is not None and state.version > since,
            caller=caller,
        )

    async def watch(self, workspace_id: UUID, object_id: UUID, caller: str = "session") -> Watcher:
        """A subscriber who has had the time to get its first state."""
        watcher = Watcher(self.stream(workspace_id, object_id, caller))
        await self.time.advance(COALESCE_SECONDS)
        return watcher

    async def change(self, workspace_id: UUID, object_id: UUID) -> int:
        """Change the object, deliver the hint, and let the time pass in which hints are gathered; its new version."""
        hint = self.database.write(workspace_id, object_id)
        self.bus.deliver([hint])
        await self.time.advance(COALESCE_SECONDS)
        return hint.version
