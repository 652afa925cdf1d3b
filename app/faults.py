"""Where crash tests end the process, without warning, as SIGKILL or a power cut would."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from app.db.engine import no_faults


def fault_hook(strike_at: str | None, log: Path | None, file: Path | None = None) -> Callable[[str], None]:
    """What is called with the name of each point passed: before and after every commit and every call to the provider.

    It ends this process at the point `strike_at`, or with `point#3` the third time it is passed, and appends the points to `log`,
    a line each. What `file` says takes the place of `strike_at`: it is read at each point, so that it may be written while the
    process runs, and passes are counted from when it changed.
    """
    if strike_at is None and log is None and file is None:
        return no_faults
    return _Faults(strike_at or "", log, file).pass_by


class _Faults:
    """The point to end the process at, and how many passes of it are left."""

    def __init__(self, strike_at: str, log: Path | None, file: Path | None) -> None:
        self._log = log
        self._file = file
        self._order = ""
        self._point = ""
        self._passes_left = 0
        self._take(strike_at)

    def pass_by(self, point: str) -> None:
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(f"{point}\n")
        if self._file is not None:
            self._take(self._file.read_text().strip() if self._file.exists() else "")
        if point == self._point:
            self._passes_left -= 1
            if self._passes_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _take(self, order: str) -> None:
        if order != self._order:
            self._order = order
            self._point, _, times = order.partition("#")
            self._passes_left = int(times or 1)
