"""Codes by text message."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)


class Texter(Protocol):
    """Sends codes and knows them: a provider that makes its own codes never tells them.

    `number` is in E.164 form; `purpose` keeps apart the codes that one number is sent for different things.
    Both raise `Unavailable` when the provider can't be reached.
    """

    async def send_code(self, number: str, purpose: str) -> None:
        """Text a new code of 6 digits, good for 10 minutes, which replaces the one before."""
        ...

    async def check_code(self, number: str, purpose: str, code: str) -> bool:
        """Whether this is the code last sent; a right one is used up by it. How often it may be tried is the caller's to limit."""
        ...
