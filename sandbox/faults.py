"""Fault injection: the next requests that match a fault fail in the way it says."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, dataclass
from typing import Any

from starlette.types import Receive

from sandbox.errors import invalid_request
from sandbox.objects import Json

KINDS = ("error_500", "hang", "drop_before", "drop_after")
MAX_FAULTS = 100


@dataclass
class Fault:
    """The next `times` requests whose method and path match fail with `kind`.

    `path` is a regular expression that the whole path must match; `seconds` is how long a hang lasts.
    """

    kind: str
    method: str = "POST"
    path: str = ".*"
    times: int = 1
    seconds: float = 60.0


class Faults:
    """The faults not yet used up; they are kept as long as the process runs."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._cleared = asyncio.Event()

    def add(self, fields: Json) -> Fault:
        """Add a fault with these fields. Raises StripeError for one that is not valid, or one too many."""
        try:
            fault = Fault(**fields)
            re.compile(fault.path)
            valid = fault.kind in KINDS and int(fault.times) > 0 and float(fault.seconds) >= 0
        except (TypeError, ValueError, re.error) as error:
            raise invalid_request(f"Invalid fault: {error}") from error
        if not valid:
            raise invalid_request(
                f"Invalid fault: kind is one of {', '.join(KINDS)}, times at least 1, seconds at least 0"
            )
        if len(self._faults) >= MAX_FAULTS:
            raise invalid_request(f"There can be {MAX_FAULTS} faults at a time: remove those that are not yet used up.")
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults and let the requests that hang go on."""
        self._faults.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def hang(self, seconds: float) -> None:
        """Wait for so many seconds, or until the faults are cleared."""
        try:
            async with asyncio.timeout(seconds):
                await self._cleared.wait()
        except TimeoutError:
            pass

    def remaining(self) -> list[Json]:
        """Return the faults not yet used up."""
        return [asdict(fault) for fault in self._faults]

    def use(self, method: str, path: str) -> Fault | None:
        """Return the first fault that this request matches, and count it as used once; None if there is none."""
        for fault in self._faults:
            if fault.method.upper() == method and re.fullmatch(fault.path, path):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None


async def drop_connection(receive: Receive) -> None:
    """Cut the client's connection without an answer.

    ASGI has no message for it: the transport is reached through uvicorn's request cycle, which owns `receive`.
    """
    cycle: Any = getattr(receive, "__self__")  # noqa: B009
    cycle.transport.abort()
    while not cycle.disconnected:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
