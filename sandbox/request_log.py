"""The log of the latest requests, for tests that count them."""

from __future__ import annotations

import re
from collections import deque

from sandbox.objects import Json

CAPACITY = 5000


class RequestLog:
    """The latest requests; they are kept as long as the process runs."""

    def __init__(self) -> None:
        self._entries: deque[Json] = deque(maxlen=CAPACITY)

    def add(self, method: str, path: str, idempotency_key: str | None) -> Json:
        """Start an entry and return it; the caller fills in `status`, `replayed` and `fault` later."""
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

    def entries(self, method: str | None, path: str | None) -> list[Json]:
        """Return the entries, oldest first, of one method and of the paths that match a regular expression."""
        return [
            entry
            for entry in self._entries
            if method in (None, entry["method"]) and (path is None or re.fullmatch(path, entry["path"]))
        ]

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
