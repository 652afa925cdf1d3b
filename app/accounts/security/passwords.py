"""Passwords: argon2id, in threads, a few at once."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from dataclasses import dataclass

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.base import HasherProtocol

from app.errors import InvalidInput

SHORTEST, LONGEST = 10, 256

# each takes 64 MiB and a core for some 50 ms; more at once would only wait for each other
_AT_ONCE = 4


def check_new_password(password: str, *, path: tuple[str, ...] | None = None) -> None:
    """Raise `InvalidInput` unless the password has 10 to 256 characters; any will do."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters.", path=path)


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right; `rehashed` is the new hash to keep where the old one was made with other parameters."""

    is_right: bool
    rehashed: str | None = None


class Passwords:
    """Hashes passwords and checks them, off the event loop, and never more than a few at once."""

    def __init__(self, hasher: HasherProtocol | None = None) -> None:
        self._hasher = PasswordHash((hasher or Argon2Hasher(),))
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._of_nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _typed(password))

    async def check(self, password: str, kept: str | None) -> Checked:
        """Whether `kept` is the hash of `password`.

        None, for somebody without an account or without a password, takes the same work and is never right: it is compared with the
        hash of a random password.
        """
        async with self._turns:
            is_right, rehashed = await asyncio.to_thread(
                self._hasher.verify_and_update, _typed(password), kept or self._of_nobody
            )
        return Checked(is_right, rehashed)


def _typed(password: str) -> str:
    """The password in one form for all keyboards: some send an accented letter as one character, others as two."""
    return unicodedata.normalize("NFKC", password)
