"""Avatars: what a person looks like, and where that can be read."""

from __future__ import annotations

from typing import Final

from app.accounts.avatars.stored_images import SIZES, size_at_least
from app.errors import BadUserInput
from resolvers.context import Context

USUAL_SIZE: Final = 128


def avatar_url(context: Context, digest: str | None, size: int | None) -> str | None:
    """Where an avatar can be read at a size, or the next larger one there is; None without an avatar.

    Raises `BadUserInput` for a size below 1 or above the largest.
    """
    at_least = size_at_least(USUAL_SIZE if size is None else size)
    if at_least is None:
        raise BadUserInput(f"size must be between 1 and {SIZES[-1]}.")
    return f"{context.runtime.public_url}/avatars/{digest}/{at_least}" if digest is not None else None
