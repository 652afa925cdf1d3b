"""Idempotency keys: a request sent again with the same key gets the first answer, and is not executed again."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.errors import idempotency_key_in_use, idempotency_key_reused
from sandbox.store import Transaction

LIFETIME_SECONDS = 24 * 3600
MAX_LENGTH = 255


@dataclass(frozen=True)
class Answer:
    """An answer ready to be sent: a JSON text. `request_id` is the request that it was made for."""

    status: int
    body: str
    request_id: str


class KeysInFlight:
    """The keys of the requests that are being executed; they are in memory, so a crash leaves none behind."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str | None) -> Generator[None]:
        """Reserve a key for the time of a request. Raises a 409 while another request has it."""
        if key is None:
            yield
            return
        if key in self._keys:
            raise idempotency_key_in_use(key)
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)


def fingerprint(encoded_params: bytes) -> str:
    """Return a digest, which is equal for equal parameters."""
    return hashlib.sha256(encoded_params).hexdigest()


async def stored_answer(tx: Transaction, key: str, path: str, digest: str) -> Answer | None:
    """Return the answer first given for a key, or None for a key that is new or older than LIFETIME_SECONDS.

    Raises a 400 if the key came with another path or other parameters.
    """
    await tx.connection.execute(
        "DELETE FROM stripe_sandbox.idempotency_keys WHERE created <= $1", tx.now - LIFETIME_SECONDS
    )
    row = await tx.connection.fetchrow("SELECT * FROM stripe_sandbox.idempotency_keys WHERE key = $1", key)
    if row is None:
        return None
    hint = f"Try using a key other than '{key}' if you meant to execute a different request."
    if row["path"] != path:
        raise idempotency_key_reused(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{row['path']}' vs '{path}'). {hint}"
        )
    if row["fingerprint"] != digest:
        raise idempotency_key_reused(
            f"Keys for idempotent requests can only be used with the same parameters they were first used with. {hint}"
        )
    return Answer(row["status"], row["body"], row["request_id"])


async def store_answer(tx: Transaction, key: str, path: str, digest: str, answer: Answer) -> None:
    """Store the answer for a key, in the same transaction as the changes of its request."""
    await tx.connection.execute(
        "INSERT INTO stripe_sandbox.idempotency_keys (key, path, fingerprint, request_id, status, body, created)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        key,
        path,
        digest,
        answer.request_id,
        answer.status,
        answer.body,
        tx.now,
    )
