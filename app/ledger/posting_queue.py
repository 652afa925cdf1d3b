"""The queue in front of the committer: which movements wait to be posted, and which of them go into the next batch."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple
from uuid import UUID

from app.ledger.movements import Movement, Posted, Refusal

LARGEST_BATCH = 256
# Fewer workspaces than this are not worth the fixed cost of another batch.
_FEWEST_WORKSPACES = 16


class QueuedMovement(NamedTuple):
    """A movement and the future that its caller awaits."""

    movement: Movement
    result: asyncio.Future[Posted]

    def resolve(self, result: Posted | Refusal | Exception) -> None:
        """Hand the result to the caller, or raise the error there; does nothing where the caller was cancelled meanwhile."""
        if self.result.done():
            return
        if isinstance(result, Posted):
            self.result.set_result(result)
        else:
            self.result.set_exception(result)


class WorkspaceQueue:
    """The movements of one workspace, in the order they came: those in a batch in flight, and those that wait behind it."""

    __slots__ = ("in_flight", "waiting", "workspace_id")

    def __init__(self, workspace_id: UUID) -> None:
        self.workspace_id = workspace_id
        self.in_flight: list[QueuedMovement] = []
        self.waiting: list[QueuedMovement] = []


class PostingQueue:
    """The movements of this process by workspace; the workspace that has waited longest is served first.

    A workspace is in one batch at a time: two batches with it would only wait for each other's lock in the database.
    """

    def __init__(self) -> None:
        self._workspaces: dict[UUID, WorkspaceQueue] = {}
        self._ready: deque[WorkspaceQueue] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def has_ready(self) -> bool:
        """Whether there are movements that need not wait for a batch in flight."""
        return bool(self._ready)

    def add(self, queued: QueuedMovement) -> None:
        """Queue a movement, behind the batch in flight if its workspace is in one."""
        self._size += 1
        workspace_id = queued.movement.workspace_id
        workspace = self._workspaces.get(workspace_id)
        if workspace is None:
            workspace = self._workspaces[workspace_id] = WorkspaceQueue(workspace_id)
            self._ready.append(workspace)
        workspace.waiting.append(queued)

    def next_batch(self, idle_lanes: int) -> list[WorkspaceQueue]:
        """Take the next batch: the idle lanes share the ready workspaces; `LARGEST_BATCH` movements at most."""
        share = max(-(-len(self._ready) // idle_lanes), _FEWEST_WORKSPACES)
        room = LARGEST_BATCH
        batch: list[WorkspaceQueue] = []
        while self._ready and room and len(batch) < share:
            workspace = self._ready.popleft()
            workspace.in_flight, workspace.waiting = workspace.waiting[:room], workspace.waiting[room:]
            room -= len(workspace.in_flight)
            batch.append(workspace)
        self._size -= LARGEST_BATCH - room
        return batch

    def finish(self, batch: list[WorkspaceQueue]) -> None:
        """The batch is no longer in flight: what waited behind it is ready."""
        for workspace in batch:
            workspace.in_flight = []
            if workspace.waiting:
                self._ready.append(workspace)
            else:
                del self._workspaces[workspace.workspace_id]
