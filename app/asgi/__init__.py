"""The web side: everything that speaks HTTP or WebSocket."""
