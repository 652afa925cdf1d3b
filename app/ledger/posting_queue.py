"""The movements of a process that wait to be posted, and which of them go together."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple
from uuid import UUID

from app.ledger.movements import Movement, Posted, Refusal

LARGEST_BATCH = 256
# Fewer workspaces than this are not worth the fixed cost of another batch.
_WORTH_A_BATCH = 16


class Waiting(NamedTuple):
    """A movement and whoever waits for its answer."""

    movement: Movement
    answer: asyncio.Future[Posted]

    def settle(self, answer: Posted | Refusal | Exception) -> None:
        """Answer the caller, unless it went away, which cancels its future but not what is on its way."""
        if self.answer.done():
            return
        if isinstance(answer, Posted):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)


class Line:
    """Those of one workspace who wait, in the order they came; `taken` are those of them who are in a batch in flight."""

    __slots__ = ("taken", "waiting", "workspace_id")

    def __init__(self, workspace_id: UUID) -> None:
        self.workspace_id = workspace_id
        self.taken: list[Waiting] = []
        self.waiting: list[Waiting] = []


class Queue:
    """Movements by workspace, the longest waiting first.

    A workspace is in one batch at a time: two would only wait for each other in the database.
    """

    def __init__(self) -> None:
        self._lines: dict[UUID, Line] = {}
        self._ready: deque[Line] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def has_ready(self) -> bool:
        """Whether something waits that is not behind a batch in flight."""
        return bool(self._ready)

    def add(self, waiting: Waiting) -> None:
        """Queue a movement, behind the batch in flight if its workspace is in one."""
        self._size += 1
        workspace_id = waiting.movement.workspace_id
        line = self._lines.get(workspace_id)
        if line is None:
            line = self._lines[workspace_id] = Line(workspace_id)
            self._ready.append(line)
        line.waiting.append(waiting)

    def take(self, idle_lanes: int) -> list[Line]:
        """The next batch: all that is ready of so many workspaces as are this lane's share."""
        share = max(-(-len(self._ready) // idle_lanes), _WORTH_A_BATCH)
        room = LARGEST_BATCH
        batch: list[Line] = []
        while self._ready and room and len(batch) < share:
            line = self._ready.popleft()
            line.taken, line.waiting = line.waiting[:room], line.waiting[room:]
            room -= len(line.taken)
            batch.append(line)
        self._size -= LARGEST_BATCH - room
        return batch

    def done(self, batch: list[Line]) -> None:
        """The batch is no longer in flight: what waited behind it is ready."""
        for line in batch:
            line.taken = []
            if line.waiting:
                self._ready.append(line)
            else:
                del self._lines[line.workspace_id]
