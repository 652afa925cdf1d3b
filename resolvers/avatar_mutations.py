"""Giving the caller an avatar, and taking it away."""

from __future__ import annotations

from typing import BinaryIO

from app.accounts.access.callers import require_user
from app.accounts.avatars import user_avatars
from resolvers.context import Context
from resolvers.users import Viewer, viewer_of


async def upload_avatar(context: Context, file: BinaryIO) -> Viewer:
    """Make a file's picture the caller's avatar."""
    runtime = context.runtime
    await user_avatars.upload_avatar(runtime.database, runtime.avatars, runtime.rate_limits, context.caller, file)
    return await viewer_of(context, require_user(context.caller))


async def remove_avatar(context: Context) -> Viewer:
    """Take the caller's avatar away."""
    await user_avatars.remove_avatar(context.runtime.database, context.caller)
    return await viewer_of(context, require_user(context.caller))
