"""Live updates: hints between processes (`bus`), and the newest state for whoever watches (`hub`)."""

from __future__ import annotations

from app.live.bus import Bus
from app.live.feed import Authorize, Versioned
from app.live.hints import CHANNEL, Hint, encode_hints
from app.live.hub import Hub, Reader

__all__ = ["CHANNEL", "Authorize", "Bus", "Hint", "Hub", "Reader", "Versioned", "encode_hints"]
