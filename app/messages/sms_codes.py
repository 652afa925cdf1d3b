"""Codes by text message: their length and lifetime, and what a provider of them does (`SmsSender`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)


class CodeGone(Exception):
    """There is no code to check: it was used, has expired, or was tried too often."""


class SmsSender(Protocol):
    """Makes, sends and checks codes: the code itself is known to the provider only.

    `number` is in E.164 form; `purpose` separates the codes that are sent to one number for different things. Sending and checking
    raise `Unavailable` when the provider can't be reached or fails; sending raises `RateLimited` when the number can get no more
    codes for now.
    """

    async def send_code(self, number: str, purpose: str) -> None:
        """Send a code of `CODE_DIGITS` digits that expires after `CODE_LIFETIME`: a new one, or the last one again.

        Raises `InvalidInput` for a number that can't receive text messages.
        """
        ...

    async def check_code(self, number: str, purpose: str, code: str) -> bool:
        """Whether this is the code last sent; a right one can't be used again. The caller limits how often a code is tried.

        Raises `CodeGone` when the provider has no code to check.
        """
        ...

    async def drop_code(self, number: str, purpose: str) -> None:
        """Cancel the code last sent, so that the next one is another; does not raise when the provider fails."""
        ...
