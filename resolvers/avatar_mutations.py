"""Avatars: the caller's own, and where anybody's can be read."""

from __future__ import annotations

from typing import BinaryIO

from app.accounts.avatars import user_avatars
from app.errors import Unauthenticated
from resolvers import users
from resolvers.context import Context
from resolvers.users import Viewer


async def upload_avatar(context: Context, file: BinaryIO) -> Viewer:
    """Make a file's picture the caller's avatar."""
    runtime = context.runtime
    await user_avatars.upload_avatar(runtime.database, runtime.avatars, runtime.rate_limits, context.caller, file)
    return await _again(context)


async def remove_avatar(context: Context) -> Viewer:
    """Take the caller's avatar away."""
    await user_avatars.remove_avatar(context.runtime.database, context.caller)
    return await _again(context)


async def _again(context: Context) -> Viewer:
    found = await users.viewer(context)
    if found is None:
        raise Unauthenticated
    return found
