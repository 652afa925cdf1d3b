"""The sandbox's clock: it can be moved, and does what is due when its time has come."""

from __future__ import annotations

import asyncio
import logging
import time

from sandbox.due_work import DUE_WORK, due_time
from sandbox.store import Store

log = logging.getLogger("sandbox")

INTERVAL_SECONDS = 0.5

WORK_PER_TRANSACTION = 20

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
        """Do all that is due by a time, the earliest first; some pieces of work share a transaction."""
        while await self._do_some(until):
            pass

    async def next_due(self) -> int | None:
        """Return when the next work is due, in seconds since 1970; None if there is none."""
        async with self._store.read() as tx:
            body = await tx.find_earliest_due(_END_OF_TIME)
        found = due_time(body) if body is not None else None
        return found[0] if found is not None else None

    async def _do_some(self, until: int) -> bool:
        """Do the work that is due first; return whether there may be more. The transaction is short, requests wait for it.

        Work that lies ahead moves the clock along, so that a sandbox killed meanwhile goes on from there.
        """
        async with self._store.write() as tx:
            began_at, body = tx.now, None
            for _ in range(WORK_PER_TRANSACTION):
                body = await tx.find_earliest_due(until)
                if body is None:
                    break
                found = due_time(body)
                if found is None or found[0] > until:
                    # noted by an earlier version of the sandbox, with other rules
                    await tx.save(body)
                    continue
                tx.now, rank = found
                await DUE_WORK[rank].do(tx, body)
            if tx.now > began_at:
                await tx.set_setting("clock_offset", tx.now - int(time.time()))
        return body is not None

    async def run(self) -> None:
        """Do what is due as time goes by, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.do_due_work(await self.now())
            except Exception:
                # the database may be away for a moment; what is due stays due
                log.exception("due work could not be done")
