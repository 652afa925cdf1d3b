"""Codes by text message."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)


class CodeGone(Exception):
    """There is no code to check any more: it was used, is too old, or was tried too often."""


class SmsSender(Protocol):
    """Sends codes and knows them: a provider that makes its own codes never tells them.

    `number` is in E.164 form; `purpose` keeps apart the codes that one number is sent for different things.
    Sending and checking raise `Unavailable` when the provider can't be reached or doesn't do what it is for; sending raises
    `RateLimited` when the number gets no more for now.
    """

    async def send_code(self, number: str, purpose: str) -> None:
        """Text a code of 6 digits, good for 10 minutes, which replaces the one before or is still that one.

        Raises `InvalidInput` for a number that can't be texted.
        """
        ...

    async def check_code(self, number: str, purpose: str, code: str) -> bool:
        """Whether this is the code last sent; a right one is used up by it. How often it may be tried is the caller's to limit.

        Raises `CodeGone` when the provider knows of none any more.
        """
        ...

    async def drop_code(self, number: str, purpose: str) -> None:
        """Let the code last sent be good no longer, and the next be another one; never raises for want of the provider."""
        ...
