"""The points that a server passes, told as it passes them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

_PIPE_HOLDS_BYTES = 65536


class PointLog:
    """What the server writes to its `FAULT_LOG`: a named pipe, so that nobody has to look again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._passed: list[str] = []
        self._unfinished = ""
        self._news = asyncio.Event()
        os.mkfifo(path)
        # open for writing too: the pipe does not end with a server, and the next one finds it open
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    @property
    def passed(self) -> list[str]:
        """The points passed since `forget`, in order."""
        self._read()
        return self._passed

    def forget(self) -> None:
        """Begin anew with the points that are passed from now on."""
        self._read()
        self._passed = []

    async def until(self, is_so: Callable[[list[str]], bool]) -> None:
        """Wait until the points passed are so."""
        while not is_so(self.passed):
            await self._news.wait()

    def close(self) -> None:
        """Let go of the pipe."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.path.unlink()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _PIPE_HOLDS_BYTES)
        except BlockingIOError:
            return
        *lines, self._unfinished = (self._unfinished + data.decode()).split("\n")
        self._passed += lines
        # whoever waits looks now, and waits for the next news
        self._news.set()
        self._news = asyncio.Event()
