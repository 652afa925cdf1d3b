"""The sandbox's clock: it can be moved, and does what is due when its time has come."""

from __future__ import annotations

import asyncio
import logging
import time

from sandbox.due_work import DUE_WORK, DueWork
from sandbox.objects import Json
from sandbox.store import Store, Transaction

log = logging.getLogger("sandbox")

INTERVAL_SECONDS = 0.5

_END_OF_TIME = 2**62


class Clock:
    """Moves the sandbox's time and does what is due by it: in order, each piece of work dated with its own time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def now(self) -> int:
        """Return the sandbox's time in seconds since 1970."""
        async with self._store.read() as tx:
            return tx.now

    async def set(self, now: int) -> None:
        """Set the time, after doing all that is due by it; from there it runs on."""
        await self.do_due_work(now)
        async with self._store.write() as tx:
            await tx.set_setting("clock_offset", now - int(time.time()))

    async def do_due_work(self, until: int) -> None:
        """Do all that is due by a time, the earliest first, each piece of work in a transaction of its own."""
        while await self._do_earliest(until):
            pass

    async def next_due(self) -> int | None:
        """Return when the next work is due, in seconds since 1970; None if there is none."""
        async with self._store.read() as tx:
            found = await _earliest(tx, _END_OF_TIME)
        return found[0] if found is not None else None

    async def _do_earliest(self, until: int) -> bool:
        """Do the work that is due first; return whether there was any."""
        async with self._store.write() as tx:
            found = await _earliest(tx, until)
            if found is None:
                return False
            due_at, body, work = found
            tx.now = due_at
            await work.do(tx, body)
            return True

    async def run(self) -> None:
        """Do what is due as time goes by, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.do_due_work(await self.now())
            except Exception:
                # the database may be away for a moment; what is due stays due
                log.exception("due work could not be done")


async def _earliest(tx: Transaction, until: int) -> tuple[int, Json, DueWork] | None:
    """Return the work that is due first, if that is by `until`: its time, its object and what to do."""
    candidates: list[tuple[int, Json, DueWork]] = []
    for work in DUE_WORK:
        found = await tx.find_earliest(work.kind, work.match, work.time_field, until)
        if found is not None:
            candidates.append((found[work.time_field], found, work))
    return min(candidates, key=lambda candidate: candidate[0], default=None)
