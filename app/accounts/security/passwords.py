"""Passwords: their length, and hashing and checking them with argon2id in threads."""

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

# one hash takes 64 MiB and a core for some 50 ms: more at once would only wait for each other
_MOST_AT_ONCE = 4


def check_new_password(password: str, *, path: tuple[str, ...] | None = None) -> None:
    """Raise `InvalidInput` unless the password has `SHORTEST` to `LONGEST` characters, of any kind."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters.", path=path)


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password was right; `rehashed` is a new hash to store where the old one was made with other parameters."""

    is_right: bool
    rehashed: str | None = None


class Passwords:
    """Hashes and checks passwords in threads, at most `_MOST_AT_ONCE` at a time."""

    def __init__(self, hasher: HasherProtocol | None = None) -> None:
        self._hasher = PasswordHash((hasher or Argon2Hasher(),))
        self._semaphore = asyncio.Semaphore(_MOST_AT_ONCE)
        self._dummy_hash = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash of a password, to store."""
        async with self._semaphore:
            return await asyncio.to_thread(self._hasher.hash, _normalized(password))

    async def check(self, password: str, stored_hash: str | None) -> PasswordCheck:
        """Whether `stored_hash` is the hash of `password`.

        None stands for somebody without an account or without a password. It is never right, and takes the same time: the password
        is then checked against the hash of a random one.
        """
        async with self._semaphore:
            is_right, rehashed = await asyncio.to_thread(
                self._hasher.verify_and_update, _normalized(password), stored_hash or self._dummy_hash
            )
        return PasswordCheck(is_right, rehashed)


def _normalized(password: str) -> str:
    """The password in Unicode's form NFKC: some keyboards send an accented letter as one character, others as two."""
    return unicodedata.normalize("NFKC", password)
