"""What keeps a command from doing what it was asked."""

from __future__ import annotations


class CommandError(Exception):
    """The command can't do what was typed; the message, for the operator, says why and what to do."""
