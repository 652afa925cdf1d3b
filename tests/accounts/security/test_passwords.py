"""Passwords: argon2id, off the event loop, a few at once."""

from __future__ import annotations

import asyncio
import threading

from app.accounts.security.passwords import Passwords
from tests.support.accounts import CountingHasher, quick_passwords


async def test_passwords_are_kept_as_argon2id_with_the_recommended_parameters() -> None:
    kept = await Passwords().hash("correct horse")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_a_right_password_is_right_and_a_wrong_one_wrong() -> None:
    passwords = Passwords(CountingHasher())
    kept = await passwords.hash("correct horse")
    assert (await passwords.check("correct horse", kept)).is_right
    assert not (await passwords.check("wrong horse", kept)).is_right
    assert (await passwords.check("correct horse", kept)).rehashed is None


async def test_a_password_without_a_stored_hash_is_never_right_and_takes_the_same_work() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    before = hasher.computed
    assert not (await passwords.check("anything", None)).is_right
    assert hasher.computed - before == 1


async def test_no_more_than_a_few_are_hashed_at_once_and_none_on_the_event_loop() -> None:
    class Watched(CountingHasher):
        def __init__(self) -> None:
            super().__init__()
            self.is_watched = False
            self.running = self.most = 0

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            if self.is_watched:
                with lock:
                    self.running += 1
                    self.most = max(self.most, self.running)
                threads.add(threading.get_ident())
                four_at_once.wait(timeout=30)
                with lock:
                    self.running -= 1
            return super().hash(password, salt=salt)

    lock, threads, four_at_once = threading.Lock(), set[int](), threading.Barrier(4)
    hasher = Watched()
    passwords = Passwords(hasher)
    hasher.is_watched = True
    await asyncio.gather(*(passwords.hash("a password") for _ in range(12)))
    assert hasher.most == 4
    assert threading.get_ident() not in threads


async def test_a_password_is_the_same_from_every_keyboard() -> None:
    passwords = quick_passwords()
    kept = await passwords.hash("Zo\u00eb's password")
    assert (await passwords.check("Zoe\u0308's password", kept)).is_right
    assert not (await passwords.check("Zoe's password", kept)).is_right
