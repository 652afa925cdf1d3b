"""What keeps a server from starting."""

from __future__ import annotations


class StartError(Exception):
    """The server can't start as it was asked to; the message says what to do."""
