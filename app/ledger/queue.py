"""The movements of a process that wait to be posted, and which of them go together."""

from __future__ import annotations

import asyncio
from itertools import islice
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


class Queue:
    """Movements by workspace, the longest waiting first.

    A workspace is in one batch at a time: two would only wait for each other in the database.
    """

    def __init__(self) -> None:
        self._ready: dict[UUID, list[Waiting]] = {}
        self._behind: dict[UUID, list[Waiting]] = {}
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
        if (behind := self._behind.get(workspace_id)) is not None:
            behind.append(waiting)
        else:
            self._ready.setdefault(workspace_id, []).append(waiting)

    def take(self, idle_lanes: int) -> list[Waiting]:
        """The next batch: all that is ready of so many workspaces as are this lane's share."""
        share = max(-(-len(self._ready) // idle_lanes), _WORTH_A_BATCH)
        batch: list[Waiting] = []
        for workspace_id in list(islice(self._ready, share)):
            room = LARGEST_BATCH - len(batch)
            if not room:
                break
            ready = self._ready.pop(workspace_id)
            batch += ready[:room]
            self._behind[workspace_id] = ready[room:]
        self._size -= len(batch)
        return batch

    def done(self, batch: list[Waiting]) -> None:
        """The batch is no longer in flight: what waited behind it is ready."""
        for workspace_id in {waiting.movement.workspace_id for waiting in batch}:
            if behind := self._behind.pop(workspace_id):
                self._ready[workspace_id] = behind
