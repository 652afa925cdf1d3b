"""Profiles: people as others see them."""

from __future__ import annotations

from uuid import UUID

from app.accounts.people import public_profiles
from app.accounts.people.users import User
from app.errors import NotFound
from resolvers import global_ids
from resolvers.context import Context


async def profile_of(context: Context, user_id: UUID) -> User:
    """A member's profile, for callers who see the membership."""
    found = await public_profiles.profile_of(context.reads, user_id)
    if found is None:
        raise NotFound
    return found


async def profile(context: Context, profile_id: str) -> User | None:
    """A profile by its id, if the caller may see it."""
    user_id = global_ids.row_id(profile_id, "Profile")
    return await public_profiles.profile_for(context.reads, context.caller, user_id)


async def profile_by_handle(context: Context, handle: str) -> User | None:
    """The person who goes by a handle, if the caller may see their profile."""
    return await public_profiles.profile_by_handle(context.reads, context.caller, handle)
