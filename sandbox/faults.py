"""Faults to order: the next requests that match fail in a chosen way."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from starlette.types import Receive

from sandbox.errors import Json, StripeError, invalid

KINDS = ("error_500", "hang", "drop_before", "drop_after")
MAX_FAULTS = 100


@dataclass
class Fault:
    """One order: `times` requests whose method and path match fail with `kind`.

    `path` is a regular expression that the whole path must match; `seconds` is how long a hang lasts.
    """

    kind: str
    method: str = "POST"
    path: str = ".*"
    times: int = 1
    seconds: float = 60.0


class Faults:
    """The orders not yet used up; they live as long as the process."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._released = asyncio.Event()

    def add(self, order: Json) -> Fault:
        """Accept an order. Raises StripeError for one that makes no sense."""
        try:
            fault = Fault(**order)
            re.compile(fault.path)
            valid = fault.kind in KINDS and int(fault.times) > 0 and float(fault.seconds) >= 0
        except (TypeError, ValueError, re.error) as error:
            raise invalid(f"Invalid fault: {error}") from error
        if not valid or len(self._faults) >= MAX_FAULTS:
            raise invalid(f"Invalid fault: kind is one of {', '.join(KINDS)}, times at least 1")
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all orders and let go on what hangs."""
        self._faults.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def hang(self, seconds: float) -> None:
        """Wait so long, or until the orders are cleared."""
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            pass

    def listed(self) -> list[Json]:
        """Return the orders not yet used up."""
        return [asdict(fault) for fault in self._faults]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first order that this request matches, used up by one."""
        for fault in self._faults:
            if fault.method.upper() == method and re.fullmatch(fault.path, path):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None


def internal_error() -> StripeError:
    """Return the 500 that Stripe answers when something breaks on its side."""
    return StripeError(500, "api_error", "An unknown error occurred.")


async def drop_connection(receive: Receive) -> None:
    """Cut the client's connection without an answer.

    ASGI has no message for it: the transport is reached through uvicorn's request cycle, which owns `receive`.
    """
    cycle: Any = getattr(receive, "__self__")  # noqa: B009
    cycle.transport.abort()
    while not cycle.disconnected:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


class RequestLog:
    """The latest requests, for tests that count them."""

    def __init__(self, capacity: int = 5000) -> None:
        self._entries: deque[Json] = deque(maxlen=capacity)

    def add(self, method: str, path: str, idempotency_key: str | None) -> Json:
        """Start an entry; its `status`, `replayed` and `fault` are filled in as the request goes on."""
        entry: Json = {
            "method": method,
            "path": path,
            "idempotency_key": idempotency_key,
            "status": None,
            "replayed": False,
            "fault": None,
        }
        self._entries.append(entry)
        return entry

    def listed(self, method: str | None, path: str | None) -> list[Json]:
        """Return the entries, oldest first, of one method and of the paths that match a regular expression."""
        return [
            entry
            for entry in self._entries
            if method in (None, entry["method"]) and (path is None or re.fullmatch(path, entry["path"]))
        ]

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
