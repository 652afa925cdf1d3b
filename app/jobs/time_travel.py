"""Moving the product's clock forward in development, and doing what falls due on the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.jobs.schedule import DueWork, due_by_now, next_due_at, run_due
from app.store import job_queue as job_queue_store
from app.store import system as system_store

_MAX_ADVANCE = timedelta(days=3660)
_DRAIN_SECONDS = 30.0
_POLL_EVERY_SECONDS = 0.02
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)


class SandboxTime(Protocol):
    """The sandbox's clock, which goes ahead of the app's."""

    async def next_due_at(self) -> datetime | None:
        """When the sandbox's next work falls due."""
        ...

    async def move_to(self, moment: datetime) -> None:
        """Set the sandbox's time, have what is due there happen, and its events delivered."""
        ...


def parse_duration(text: object) -> timedelta:
    """An ISO 8601 duration of days and smaller units, such as `P31D` or `PT12H`.

    Raises `InvalidInput` for anything else, for none at all, and for more than `_MAX_ADVANCE`.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    parts = {unit: int(number) for unit, number in match.groupdict().items() if number} if match else {}
    if not parts:
        raise InvalidInput('Give {"advance": "P31D"}: an ISO 8601 duration of weeks, days, hours, minutes and seconds.')
    by = timedelta(**parts)
    if not timedelta() < by <= _MAX_ADVANCE:
        raise InvalidInput("Time moves forward, by at most ten years.")
    return by


async def load_offset(database: Database) -> None:
    """Set the clock to where development has moved it."""
    async with database.read() as session:
        database.clock.offset = await system_store.clock_offset(session)


async def advance(database: Database, works: Sequence[DueWork], sandbox: SandboxTime, by: timedelta) -> datetime:
    """Move time forward by `by`, stopping at each due time on the way in order, and return the time then."""
    target = database.clock.now() + by
    step = database.clock.now()
    await _run_until_idle(database, works)
    while True:
        dues = [await next_due_at(database, works, after=step), await sandbox.next_due_at()]
        step = min((due for due in dues if due is not None and step < due < target), default=target)
        await sandbox.move_to(step)
        await _move_clock(database, step)
        await _run_until_idle(database, works)
        if step == target:
            return database.clock.now()


async def _move_clock(database: Database, moment: datetime) -> None:
    clock = database.clock
    clock.offset = max(clock.offset, moment - clock.real_now())

    async def save(session: Session) -> None:
        await system_store.save_clock_offset(session, clock.offset)

    await transact(database, save, step="clock.save")


async def _run_until_idle(database: Database, works: Sequence[DueWork]) -> None:
    """Do what is due and wait for the worker to empty its queue, until nothing is left to do, for `_DRAIN_SECONDS` at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while True:
                done = await run_due(await due_by_now(database, works))
                if await _open_jobs(database) == 0 and done == 0:
                    return
                await asyncio.sleep(_POLL_EVERY_SECONDS)


async def _open_jobs(database: Database) -> int:
    async with database.read() as session:
        return await job_queue_store.open_jobs(session)
