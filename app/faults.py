"""Where crash tests end the process, without warning, as SIGKILL or a power cut would."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from app.db.engine import no_faults


def fault_hook(strike_at: str | None, log: Path | None) -> Callable[[str], None]:
    """What is called with the name of each point passed: before and after every commit and every call to the provider.

    It ends this process at the point `strike_at`, or with `point#3` the third time it is passed, and appends the points to `log`,
    a line each.
    """
    if strike_at is None and log is None:
        return no_faults
    wanted, _, times = (strike_at or "").partition("#")
    left = int(times or 1)

    def fault(point: str) -> None:
        nonlocal left
        if log is not None:
            with log.open("a") as file:
                file.write(f"{point}\n")
        if point == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return fault
