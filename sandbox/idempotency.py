"""Idempotency keys: the same request with the same key gets the same answer, and its work is done once."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.errors import key_in_use, key_reused
from sandbox.store import Transaction

LIFETIME_SECONDS = 24 * 3600
MAX_LENGTH = 255


@dataclass(frozen=True)
class Answer:
    """An answer ready to be sent: JSON text, and the request that first gave it."""

    status: int
    body: str
    request_id: str


class KeysInFlight:
    """The keys whose first request is being worked on; after a crash there are none."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str | None) -> Generator[None]:
        """Hold a key for the length of a request. Raises a 409 while another request holds it."""
        if key is None:
            yield
            return
        if key in self._keys:
            raise key_in_use(key)
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)


def fingerprint(encoded_params: bytes) -> str:
    """Return a digest by which equal parameters are recognized."""
    return hashlib.sha256(encoded_params).hexdigest()


async def recall(tx: Transaction, key: str, path: str, digest: str) -> Answer | None:
    """Return the answer first given for a key, or None for a new one; keys are forgotten after 24 hours.

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
        raise key_reused(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{row['path']}' vs '{path}'). {hint}"
        )
    if row["fingerprint"] != digest:
        raise key_reused(
            f"Keys for idempotent requests can only be used with the same parameters they were first used with. {hint}"
        )
    return Answer(row["status"], row["body"], row["request_id"])


async def remember(tx: Transaction, key: str, path: str, digest: str, answer: Answer) -> None:
    """Store the answer of a key with the work it answers for."""
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
