"""The sandbox's own controls, which Stripe doesn't have: its clock."""

from __future__ import annotations

import ssl
from datetime import datetime
from typing import Final

import httpx

# The sandbox speaks plain HTTP: loading the world's certificates for it would take longer than the call.
_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class SandboxControl:
    """The clock of the sandbox at `base_url`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def next_due_at(self) -> datetime | None:
        """When the sandbox's next work falls due; None when nothing waits."""
        async with self._client() as client:
            answer = (await client.get("/_sandbox/clock")).raise_for_status().json()
        due = answer.get("next_due")
        return datetime.fromisoformat(due) if due else None

    async def move_to(self, moment: datetime) -> None:
        """Set the sandbox's time, have what is due there happen, and its events delivered."""
        async with self._client() as client:
            (await client.post("/_sandbox/clock", json={"now": moment.isoformat()})).raise_for_status()
            (await client.post("/_sandbox/deliveries/flush")).raise_for_status()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._base_url, timeout=60.0, verify=_NO_CERTIFICATES)
