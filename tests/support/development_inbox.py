"""Reading the development inbox, as somebody who opens it in a browser."""

from __future__ import annotations

from typing import Any

from tests.support.running_backend import RunningBackend


async def mails_to(backend: RunningBackend, address: str) -> list[dict[str, Any]]:
    """The mails that were sent to an address, the newest first."""
    found = await backend.api.http.get(f"{backend.api.url}/dev/inbox")
    return [each for each in found.raise_for_status().json() if each["to"] == address]
