"""How numbers, lengths of time and sizes are written in sentences, so that no text repeats by hand what a constant says."""

from __future__ import annotations

import math
from datetime import timedelta

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_SIZES = ((1_000_000, "MB"), (1024 * 1024, "MiB"), (1_000, "kB"), (1024, "KiB"))


def number(value: int) -> str:
    """A whole number with commas between the thousands: `1,000`."""
    return f"{value:,}"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """How many of something: `1 code`, `1,000 codes`; `plural` is needed where an s does not make it (`5 tries`)."""
    return f"{number(value)} {singular if value == 1 else plural or singular + 's'}"


def duration(length: timedelta) -> str:
    """A length of time in the largest unit of which it is a whole number: `30 days`, `24 hours`, `90 minutes`, `40 seconds`.

    One day is written in hours, more are days. Raises `ValueError` for less than a second and for parts of one.
    """
    seconds = int(length.total_seconds())
    if seconds < 1 or timedelta(seconds=seconds) != length:
        raise ValueError(f"{length} is not a whole number of seconds")
    if seconds % _DAY == 0 and seconds > _DAY:
        return count(seconds // _DAY, "day")
    if seconds % _HOUR == 0:
        return count(seconds // _HOUR, "hour")
    if seconds % _MINUTE == 0:
        return count(seconds // _MINUTE, "minute")
    return count(seconds, "second")


def waiting_time(seconds: int) -> str:
    """How long to wait, rounded up to minutes, and beyond two hours to hours: `40 seconds`, `12 minutes`, `24 hours`."""
    if seconds < _MINUTE:
        return duration(timedelta(seconds=seconds))
    unit = _MINUTE if seconds <= 2 * _HOUR - _MINUTE else _HOUR
    return duration(timedelta(seconds=math.ceil(seconds / unit) * unit))


def size(in_bytes: int) -> str:
    """A number of bytes in the largest unit of which it is a whole number: `20 MB`, `1 MiB`, `123 bytes`."""
    for unit, name in _SIZES:
        if in_bytes and in_bytes % unit == 0:
            return f"{number(in_bytes // unit)} {name}"
    return count(in_bytes, "byte")
