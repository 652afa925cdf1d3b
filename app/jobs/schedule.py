"""The schedule: work that falls due at a time. Every second, due times in the database are compared with the product's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from app.db.engine import Database, Session
from app.jobs.outage_log import OutageLog, log_fields

_POLL_EVERY_SECONDS = 1.0
_MAX_ROUNDS = 1_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueWork:
    """A kind of work with a due time.

    `next_at` reads when the next of it falls due (None: nothing waits); it is None itself for work without due times. `run` does
    some of what is due by now and returns how much; where that may be more than `next_at` tells, the work `looks_always`.
    """

    name: str
    next_at: Callable[[Session], Awaitable[datetime | None]] | None
    run: Callable[[], Awaitable[int]]
    looks_always: bool = False


class Every:
    """Work without due times in the database: done at once, then again each time `interval` of real time has passed.

    Without `at_once` the first time is when the interval has passed.
    """

    def __init__(
        self,
        database: Database,
        interval: timedelta,
        work: Callable[[], Awaitable[int]],
        *,
        at_once: bool = True,
    ) -> None:
        self._clock = database.clock
        self._interval = interval
        self._work = work
        self._next: datetime | None = None if at_once else self._clock.real_now() + interval

    async def run(self) -> int:
        """Do the work if it is time for it; returns how much was done."""
        now = self._clock.real_now()
        if self._next is not None and now < self._next:
            return 0
        self._next = now + self._interval
        return await self._work()


async def each_alone(
    name: str, due: Sequence[tuple[UUID, UUID]], work: Callable[[UUID, UUID], Awaitable[object]]
) -> int:
    """Do the `work` of each (workspace, id) that is due, and return how many succeeded.

    A failure is logged and does not stop the others; `work` must have set a later due time then.
    """
    done = 0
    for workspace_id, object_id in due:
        try:
            await work(workspace_id, object_id)
            done += 1
        except Exception as error:
            _log.warning("due_work.put_off", work=name, object=str(object_id), **log_fields(error))
    return done


async def run_due(works: Sequence[DueWork], outage_log: OutageLog | None = None) -> int:
    """Do everything that is due by now and return how much that was; work that fails is logged and tried again by the next call.

    Calls that share `outage_log` don't log the same failure each time.
    """
    outage_log = outage_log or OutageLog()
    done = 0
    for work in works:
        try:
            for _ in range(_MAX_ROUNDS):
                some = await work.run()
                done += some
                if some == 0:
                    break
            outage_log.clear(work.name)
        except Exception as error:
            if outage_log.should_log(work.name, error):
                _log.warning("due_work.failed", work=work.name, **log_fields(error))
    return done


async def next_due_at(database: Database, works: Sequence[DueWork], *, after: datetime) -> datetime | None:
    """When the next work after a time falls due; None when there is none."""
    async with database.read() as session:
        times = [await work.next_at(session) for work in works if work.next_at is not None]
    return min((time for time in times if time is not None and time > after), default=None)


async def due_by_now(database: Database, works: Sequence[DueWork]) -> list[DueWork]:
    """Those of the works of which something may be due: they are asked together, in less time than each takes to find nothing."""
    async with database.read() as session:
        return [work for work in works if await _may_be_due(session, work)]


async def _may_be_due(session: Session, work: DueWork) -> bool:
    if work.next_at is None or work.looks_always:
        return True
    time = await work.next_at(session)
    return time is not None and time <= session.now


async def watch(works: Sequence[DueWork], stopping: asyncio.Event) -> None:
    """Do what is due, every second, until `stopping` is set."""
    outage_log = OutageLog()
    while not stopping.is_set():
        await run_due(works, outage_log)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopping.wait(), _POLL_EVERY_SECONDS)
