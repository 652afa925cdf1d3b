"""Avatars: the caller's own, and where anybody's can be read."""

from __future__ import annotations

from typing import BinaryIO, Final

from app.accounts.avatars import user_avatars
from app.accounts.avatars.stored_images import SIZES, size_at_least
from app.errors import BadUserInput, Unauthenticated
from resolvers import current_user
from resolvers.context import Context
from resolvers.current_user import Viewer

USUAL_SIZE: Final = 128


async def upload_avatar(context: Context, file: BinaryIO) -> Viewer:
    """Make a file's picture the caller's avatar."""
    runtime = context.runtime
    await user_avatars.upload_avatar(runtime.database, runtime.avatars, runtime.rate_limits, context.caller, file)
    return await _again(context)


async def remove_avatar(context: Context) -> Viewer:
    """Take the caller's avatar away."""
    await user_avatars.remove_avatar(context.runtime.database, context.caller)
    return await _again(context)


def avatar_url(context: Context, digest: str | None, size: int | None) -> str | None:
    """Where an avatar can be read at a size, or the next larger one there is; None without an avatar.

    Raises `BadUserInput` for a size below 1 or above the largest.
    """
    at_least = size_at_least(USUAL_SIZE if size is None else size)
    if at_least is None:
        raise BadUserInput(f"size must be between 1 and {SIZES[-1]}.")
    return f"{context.runtime.public_url}/avatars/{digest}/{at_least}" if digest is not None else None


async def _again(context: Context) -> Viewer:
    found = await current_user.viewer(context)
    if found is None:
        raise Unauthenticated
    return found
