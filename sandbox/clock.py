"""The sandbox's clock and what happens when its time comes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from sandbox.errors import Json
from sandbox.resources.checkout import sessions as checkout
from sandbox.resources.invoices import invoices
from sandbox.resources.invoices import paying as invoice_payment
from sandbox.resources.payments import disputes, refunds
from sandbox.store import Store, Transaction

log = logging.getLogger("sandbox")

INTERVAL_SECONDS = 0.5

Due = Callable[[Transaction, Json], Awaitable[object]]


# kind, what it must contain, the field with its time, what is done then
DUE: tuple[tuple[str, Json, str, Due], ...] = (
    ("invoice", {"status": "draft", "auto_advance": True}, "automatically_finalizes_at", invoices.finalize),
    ("invoice", {"status": "open", "auto_advance": True}, "next_payment_attempt", invoice_payment.pay_automatically),
    ("checkout.session", {"status": "open"}, "expires_at", checkout.expire),
    ("charge", {"disputed": False}, "_dispute_at", disputes.open_due),
    ("refund", {}, "_outcome_at", refunds.end_due),
)


_END_OF_TIME = 2**62


async def _earliest(tx: Transaction, until: int) -> tuple[int, Json, Due] | None:
    candidates: list[tuple[int, Json, Due]] = []
    for kind, match, field, action in DUE:
        found = await tx.earliest(kind, match, field, until)
        if found is not None:
            candidates.append((found[field], found, action))
    return min(candidates, key=lambda candidate: candidate[0], default=None)


class Clock:
    """Moves the sandbox's time and lets fall due what has its time, in order, each thing dated with its own time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def now(self) -> int:
        """Return the sandbox's time in seconds since 1970."""
        async with self._store.read() as tx:
            return tx.now

    async def set(self, now: int) -> None:
        """Set the time; it runs on from there. What falls due by then has happened when this returns."""
        await self.run_due(now)
        async with self._store.write() as tx:
            await tx.set_setting("clock_offset", now - int(time.time()))

    async def run_due(self, until: int) -> None:
        """Do all that falls due up to a time, the earliest first."""
        while await self._do_next(until):
            pass

    async def next_due(self) -> int | None:
        """Return when the next thing falls due, in seconds since 1970; None when nothing waits."""
        async with self._store.read() as tx:
            found = await _earliest(tx, _END_OF_TIME)
        return found[0] if found is not None else None

    async def _do_next(self, until: int) -> bool:
        async with self._store.write() as tx:
            found = await _earliest(tx, until)
            if found is None:
                return False
            at, body, action = found
            tx.now = at
            await action(tx, body)
            return True

    async def run(self) -> None:
        """Let fall due what has its time, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.run_due(await self.now())
            except Exception:
                # the database may be away for a moment; what is due stays due
                log.exception("what is due could not be done")
