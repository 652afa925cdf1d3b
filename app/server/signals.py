"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType


async def until_signalled() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def exit_on_signals() -> None:
    """uvicorn raises the signal that ended it again: it must end this process by unwinding it, not by killing it."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
