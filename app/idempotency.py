"""Idempotency keys: how long one is remembered, and which input it is bound to."""

from __future__ import annotations

import hashlib
from datetime import timedelta

KEYS_KEPT = timedelta(days=90)
"""How long an idempotency key is remembered."""


def input_hash(*parts: object) -> bytes:
    """What an idempotency key is bound to: the same input has the same hash."""
    return hashlib.sha256(repr(parts).encode()).digest()
