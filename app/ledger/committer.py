"""Group commit: posts the movements of all callers in the process in batches, one transaction a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import TypeAlias, cast
from uuid import UUID

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.db.engine import Database, Session
from app.db.outbox import Hint
from app.db.unit_of_work import transact
from app.errors import Unavailable
from app.ledger.movements import Movement, Posted
from app.ledger.post_movements import TOPIC, BatchResult, post_exactly
from app.ledger.posting_queue import PostingQueue, QueuedMovement, WorkspaceQueue
from app.ledger.spend_batches import split_spends
from app.store import ledger_posting as ledger_posting_store

OnLow: TypeAlias = Callable[[Session, Sequence[UUID]], Awaitable[None]]
"""Called, in the transaction that lowered them, with the workspaces whose balance has fallen to their `recharge_below`."""

_LONGEST_QUEUE = 20_000
# Two batches, of different workspaces, keep the database busy while one of them waits for the disk.
_LANES = 2
# The pool notices that its connections are dead when it is used: the attempt after that gets a new one.
_ATTEMPTS_WHEN_LOST = 2
_LOST = (
    OSError,
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
)


class Committer:
    """Posts the movements of a process in batches. The next batch forms while others are in flight, so no caller waits for a timer.

    Plain spends go the optimistic way: one statement posts all of them. Other movements, and the spends that the statement left
    unposted, go the exact way: lock, read, apply in turn, write. `on_low` decides about auto-recharge. One committer a process is
    enough; any number of processes may have one.
    """

    def __init__(self, database: Database, *, on_low: OnLow | None = None) -> None:
        self._database = database
        self._on_low = on_low
        self._queue = PostingQueue()
        self._lanes: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._hints: dict[UUID, Hint] = {}
        self._publisher: asyncio.Task[None] | None = None
        self._is_closed = False

    async def submit(self, movement: Movement) -> Posted:
        """Post the movement, committed when this returns.

        Raises the refusals of `post_one`, or `Unavailable` when the database can't be reached: then a movement without an
        idempotency key may or may not have been posted. A movement whose caller is cancelled while its batch is in flight is posted
        all the same.
        """
        if self._is_closed or len(self._queue) >= _LONGEST_QUEUE:
            raise Unavailable
        queued = QueuedMovement(movement, asyncio.get_running_loop().create_future())
        self._queue.add(queued)
        if self._queue.has_ready and len(self._lanes) < _LANES:
            self._lanes.add(asyncio.create_task(self._run()))
        return await queued.result

    async def close(self) -> None:
        """Take no more movements, and return once those taken are posted and their hints published."""
        self._is_closed = True
        while self._lanes:
            await asyncio.wait(self._lanes)
        if self._publisher is not None:
            await self._publisher

    async def _run(self) -> None:
        try:
            while self._queue.has_ready:
                batch = self._queue.next_batch(idle_lanes=_LANES - self._in_flight)
                self._in_flight += 1
                try:
                    await self._post(batch)
                finally:
                    self._in_flight -= 1
                    self._queue.finish(batch)
                # Lets the callers that just got their results run: what they submit at once is in time for the next batch.
                await asyncio.sleep(0)
        finally:
            # At once, not in a callback: the next `submit` must see that this lane is gone, or it would start none.
            self._lanes.discard(cast(asyncio.Task[None], asyncio.current_task()))

    async def _post(self, batch: list[WorkspaceQueue]) -> None:
        """Post the batch; each of its movements gets its result or an error, whatever happens to the database."""
        by_workspace = [[queued for queued in workspace.in_flight if not queued.result.done()] for workspace in batch]
        by_workspace = [movements for movements in by_workspace if movements]
        try:
            left = await self._post_optimistically(by_workspace)
        except asyncpg.PostgresError as error:
            # An error of the statement itself posted nothing; the exact way finds out which movement causes it.
            everything = list(chain.from_iterable(by_workspace))
            left = _safe_to_retry(everything) if _is_lost(error) else everything
        except Exception:
            left = _safe_to_retry(list(chain.from_iterable(by_workspace)))
        for _ in range(_ATTEMPTS_WHEN_LOST):
            try:
                await self._post_exactly(left)
                return
            except Exception as error:
                if not _is_lost(error):
                    break
                left = _safe_to_retry(left)
        else:
            for queued in left:
                queued.resolve(Unavailable())
            return
        # The transaction failed as a whole. One movement at a time, so that the one that causes it fails alone.
        for queued in left:
            try:
                await self._post_exactly([queued])
            except Exception as error:
                queued.resolve(Unavailable() if _is_lost(error) else error)

    async def _post_optimistically(self, by_workspace: list[list[QueuedMovement]]) -> list[QueuedMovement]:
        """Post the plain spends in one statement; returns the movements that are still to be posted."""
        spends, others = split_spends(by_workspace, self._database.clock.now())
        if spends is None:
            return list(chain.from_iterable(others))
        async with self._database.raw() as connection:
            self._database.fault("ledger:before-commit")
            rows = await ledger_posting_store.spend_alone(connection, spends.arguments)
            self._database.fault("ledger:after-commit")
        for queued, posted in spends.results(rows):
            queued.resolve(posted)
        workspaces = spends.arguments.workspaces
        self._publish(
            [Hint(TOPIC, workspaces[row.number - 1], workspaces[row.number - 1], row.version) for row in rows]
        )
        return list(chain.from_iterable((*others, *spends.unposted(rows))))

    async def _post_exactly(self, batch: list[QueuedMovement]) -> None:
        """Apply the movements in turn, in one transaction."""
        if not batch:
            return

        async def work(session: Session) -> BatchResult:
            posted = await post_exactly(session, [queued.movement for queued in batch])
            if posted.low and self._on_low is not None:
                await self._on_low(session, posted.low)
            return posted

        posted = await transact(self._database, work, step="ledger")
        for queued, result in zip(batch, posted.results, strict=True):
            queued.resolve(result)

    def _publish(self, hints: Sequence[Hint]) -> None:
        """Publish the newest hint of each workspace; hints that come while others are being published go together."""
        self._hints.update((hint.workspace_id, hint) for hint in hints)
        if self._publisher is None and self._hints:
            self._publisher = asyncio.create_task(self._publish_gathered())

    async def _publish_gathered(self) -> None:
        try:
            while self._hints:
                hints = list(self._hints.values())
                self._hints.clear()
                await self._database.hints.publish(hints)
        finally:
            self._publisher = None


def _is_lost(error: Exception) -> bool:
    """Whether the connection was lost, so that what was sent may or may not have been done."""
    return isinstance(error, _LOST) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _safe_to_retry(batch: list[QueuedMovement]) -> list[QueuedMovement]:
    """The movements with an idempotency key, which are posted once however often they are sent; the others get `Unavailable`."""
    for queued in batch:
        if queued.movement.key is None:
            queued.resolve(Unavailable())
    return [queued for queued in batch if queued.movement.key is not None]
