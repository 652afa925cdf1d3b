"""Live updates: hints between processes (`bus`), and the newest state for whoever watches (`hub`)."""

from __future__ import annotations

from app.live.bus import Bus
from app.live.hints import CHANNEL, Hint, encode_hints
from app.live.hub import Hub
from app.live.topics import Topic, Versioned

__all__ = ["CHANNEL", "Bus", "Hint", "Hub", "Topic", "Versioned", "encode_hints"]
