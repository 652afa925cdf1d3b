"""Group commit: the movements of a process meet here and are posted together."""

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
from app.ledger.post import TOPIC, Outcome, judge
from app.ledger.posting_queue import Line, Queue, Waiting
from app.ledger.spends import plan
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
    """Posts the movements of a process in batches: the next batch forms while others are in flight, so no timer holds anyone up.

    Plain spends go the optimistic way, one statement for all of them; the rest, and what that statement leaves, the exact way.
    `on_low` decides auto-recharge. One committer a process is enough; any number of processes may have one.
    """

    def __init__(self, database: Database, *, on_low: OnLow | None = None) -> None:
        self._database = database
        self._on_low = on_low
        self._queue = Queue()
        self._lanes: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._hints: dict[UUID, Hint] = {}
        self._publisher: asyncio.Task[None] | None = None
        self._is_closed = False

    async def submit(self, movement: Movement) -> Posted:
        """Post the movement, committed when this returns.

        Raises what refuses it (see `post_one`), or `Unavailable` when the database can't be reached: then a movement without an
        idempotency key may or may not have been posted. Cancelling the caller leaves a movement that is on its way to be posted.
        """
        if self._is_closed or len(self._queue) >= _LONGEST_QUEUE:
            raise Unavailable
        waiting = Waiting(movement, asyncio.get_running_loop().create_future())
        self._queue.add(waiting)
        if self._queue.has_ready and len(self._lanes) < _LANES:
            self._lanes.add(asyncio.create_task(self._run()))
        return await waiting.answer

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
                batch = self._queue.take(idle_lanes=_LANES - self._in_flight)
                self._in_flight += 1
                try:
                    await self._answer(batch)
                finally:
                    self._in_flight -= 1
                    self._queue.done(batch)
                # Whoever was just answered and asks again at once is in time for the next batch.
                await asyncio.sleep(0)
        finally:
            # At once, not in a callback: whoever submits next must see that this lane is gone.
            self._lanes.discard(cast(asyncio.Task[None], asyncio.current_task()))

    async def _answer(self, batch: list[Line]) -> None:
        """Answer everyone in the batch, whatever happens to the database."""
        staying = [[waiting for waiting in line.taken if not waiting.answer.done()] for line in batch]
        asked = [waiting for waiting in staying if waiting]
        try:
            left = await self._optimistic(asked)
        except asyncpg.PostgresError as error:
            # An error of the statement itself posted nothing; the exact way finds out whose it is.
            everyone = list(chain.from_iterable(asked))
            left = _those_safe_to_repeat(everyone) if _is_lost(error) else everyone
        except Exception:
            left = _those_safe_to_repeat(list(chain.from_iterable(asked)))
        for _ in range(_ATTEMPTS_WHEN_LOST):
            try:
                await self._exact(left)
                return
            except Exception as error:
                if not _is_lost(error):
                    break
                left = _those_safe_to_repeat(left)
        else:
            for waiting in left:
                waiting.settle(Unavailable())
            return
        # The transaction failed as a whole. One movement at a time, so that a poisoned one fails alone.
        for waiting in left:
            try:
                await self._exact([waiting])
            except Exception as error:
                waiting.settle(Unavailable() if _is_lost(error) else error)

    async def _optimistic(self, asked: list[list[Waiting]]) -> list[Waiting]:
        """Post the plain spends in one statement; returns those that are still to be answered."""
        spends, others = plan(asked, self._database.clock.now())
        if spends is None:
            return list(chain.from_iterable(others))
        async with self._database.raw() as connection:
            self._database.fault("ledger:before-commit")
            rows = await ledger_posting_store.spend_alone(connection, spends.arguments)
            self._database.fault("ledger:after-commit")
        for waiting, posted in spends.answers(rows):
            waiting.settle(posted)
        workspaces = spends.arguments.workspaces
        self._publish(
            [Hint(TOPIC, workspaces[row.number - 1], workspaces[row.number - 1], row.version) for row in rows]
        )
        return list(chain.from_iterable((*others, *spends.left(rows))))

    async def _exact(self, batch: list[Waiting]) -> None:
        """Judge the movements in turn, in one transaction."""
        if not batch:
            return

        async def work(session: Session) -> Outcome:
            outcome = await judge(session, [waiting.movement for waiting in batch])
            if outcome.low and self._on_low is not None:
                await self._on_low(session, outcome.low)
            return outcome

        outcome = await transact(self._database, work, step="ledger")
        for waiting, answer in zip(batch, outcome.answers, strict=True):
            waiting.settle(answer)

    def _publish(self, hints: Sequence[Hint]) -> None:
        """Publish the newest hint of each workspace; those that gather meanwhile go together."""
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


def _those_safe_to_repeat(batch: list[Waiting]) -> list[Waiting]:
    """Those with a key, which are posted once however often they are sent; the others are told that the outcome is unknown."""
    for waiting in batch:
        if waiting.movement.key is None:
            waiting.settle(Unavailable())
    return [waiting for waiting in batch if waiting.movement.key is not None]
