"""Processor time, which says what a way costs even on a machine that is busy with something else."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def seconds_used(postmaster: int) -> float:
    """Processor seconds used so far by this process and by PostgreSQL's; only this process's where there is no `/proc`."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name in parentheses may hold blanks: fields are counted from its end
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if postmaster in (int(fields[1]), int(stat.parent.name)):
            ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / _TICKS_A_SECOND
