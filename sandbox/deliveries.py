"""Delivery of events to webhook endpoints: signed, in order, retried with back-off until they are accepted.

Pending deliveries are in the database, so that a restart continues with them. Times here are real ones, not those of the
sandbox's clock: a receiver compares the signature's time with its own clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import time
from typing import Any

import httpx

from sandbox.objects import Json, visible
from sandbox.store import Store

log = logging.getLogger("sandbox")

MODES = ("normal", "hold", "duplicate", "shuffle", "drop")

MAX_ATTEMPTS = 16
FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 300.0
TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 1.0
BATCH = 100

# in the mode `shuffle`, how long deliveries are collected before they are sent in random order
SHUFFLE_SECONDS = 0.3


def signature(secret: str, payload: str, at: int) -> str:
    """Return the value of the header Stripe-Signature for a payload sent at `at` (seconds since 1970)."""
    digest = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def retry_delay(attempts: int) -> float:
    """Return how many seconds after the given number of failures the next attempt is made."""
    return min(FIRST_DELAY_SECONDS * 2 ** (attempts - 1), MAX_DELAY_SECONDS)


class Deliveries:
    """Sends pending deliveries, one round at a time; each commit that emitted events starts a round."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._send_lock = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._store.events_committed.wait()
            except TimeoutError:
                pass
            self._store.events_committed.clear()
            try:
                mode = await self.mode()
                if mode == "shuffle":
                    await asyncio.sleep(SHUFFLE_SECONDS)
                if mode != "hold":
                    await self._send_pending(mode, time.time())
            except Exception:
                # the database may be away for a moment; pending deliveries stay pending
                log.exception("deliveries could not be sent")

    async def mode(self) -> str:
        """Return the mode, one of MODES."""
        async with self._store.read() as tx:
            return await tx.setting("delivery_mode", "normal")

    async def set_mode(self, mode: str) -> None:
        """Set the mode, one of MODES; with `drop` the deliveries of later events are never sent."""
        async with self._store.write() as tx:
            await tx.set_setting("delivery_mode", mode)
        self._store.events_committed.set()

    async def flush(self) -> Json:
        """Send each pending delivery once, also one that is held or waits for a retry; return how many succeeded and failed."""
        return await self._send_pending(await self.mode(), None)

    async def counts(self) -> Json:
        """Return how many deliveries there are in each status."""
        async with self._store.read() as tx:
            rows = await tx.connection.fetch("SELECT status, count(*) FROM stripe_sandbox.deliveries GROUP BY status")
        return {row["status"]: row["count"] for row in rows}

    async def _send_pending(self, mode: str, due_by: float | None) -> Json:
        """Send the pending deliveries that are due by a time, or all of them for None."""
        result = {"delivered": 0, "failed": 0}
        after = 0
        async with self._send_lock:
            while batch := await self._batch(after, due_by):
                after = max(row["id"] for row in batch)
                if mode == "shuffle":
                    random.shuffle(batch)
                for row in batch:
                    accepted = [await self._post(row) for _ in range(2 if mode == "duplicate" else 1)][-1]
                    await self._record(row, accepted=accepted)
                    result["delivered" if accepted else "failed"] += 1
        return result

    async def _batch(self, after: int, due_by: float | None) -> list[Any]:
        async with self._store.read() as tx:
            return await tx.connection.fetch(
                "SELECT d.id, d.attempts, e.id AS event_id, e.body AS event, w.body AS endpoint"
                " FROM stripe_sandbox.deliveries d"
                " JOIN stripe_sandbox.objects e ON e.id = d.event JOIN stripe_sandbox.objects w ON w.id = d.endpoint"
                " WHERE d.status = 'pending' AND d.id > $1 AND ($2::double precision IS NULL OR d.next_at <= $2)"
                " ORDER BY d.id LIMIT $3",
                after,
                due_by,
                BATCH,
            )

    async def _post(self, row: Any) -> bool:
        payload = json.dumps(visible(row["event"]))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(row["endpoint"]["_secret"], payload, int(time.time())),
            "User-Agent": "Stripe/1.0 (sandbox)",
        }
        try:
            response = await self._client.post(row["endpoint"]["url"], content=payload, headers=headers)
        except httpx.HTTPError:
            return False
        return response.is_success

    async def _record(self, row: Any, *, accepted: bool) -> None:
        attempts = row["attempts"] + 1
        given_up = not accepted and attempts >= MAX_ATTEMPTS
        status = "delivered" if accepted else "failed" if given_up else "pending"
        async with self._store.write() as tx:
            await tx.connection.execute(
                "UPDATE stripe_sandbox.deliveries SET status = $2, attempts = $3, next_at = $4 WHERE id = $1",
                row["id"],
                status,
                attempts,
                time.time() + retry_delay(attempts),
            )
            if accepted and (event := await tx.find_including_deleted("event", row["event_id"])) is not None:
                await tx.save(event | {"pending_webhooks": max(0, event["pending_webhooks"] - 1)})
