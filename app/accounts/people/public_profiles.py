"""Profiles as others see them: who may see whose, by id or by handle."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.callers import ANONYMOUS, Caller, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.people.users import User, Visibility, user_of
from app.accounts.security.text_input import trimmed
from app.db.reads import Reads
from app.store import public_profiles as public_profile_store
from app.store import users as user_store


async def profile_of(reads: Reads, user_id: UUID) -> User | None:
    """The user with this id. The caller's right to see them must have been checked."""
    found = await reads.one_of(user_store.PEOPLE, user_id)
    return user_of(found) if found is not None else None


async def profile_for(reads: Reads, caller: Caller, user_id: UUID) -> User | None:
    """The user, if the caller may see their profile.

    Everyone may see a public profile. A private one may be seen by its owner, by fellow members of a workspace, and by operators,
    who see the members of every workspace anyway.
    """
    found = await profile_of(reads, user_id)
    if found is None or found.visibility is Visibility.PUBLIC:
        return found
    match caller:
        case UserCaller():
            together = (caller.user_id, user_id)
            sees = caller.user_id == user_id or bool(await reads.all_of(public_profile_store.FELLOWS, together))
        case KeyCaller():
            sees = caller.is_service and ApiScope.OPERATOR in caller.scopes
        case _:
            sees = False
    return found if sees else None


async def profile_by_handle(reads: Reads, caller: Caller, handle: str) -> User | None:
    """The user with this handle, without regard to case, if the caller may see their profile.

    As `profile_for`, but for keys, which see only public profiles here: handles can be guessed.
    """
    found = await reads.one_of(public_profile_store.BY_HANDLE, trimmed(handle).lower())
    if found is None:
        return None
    return await profile_for(reads, caller if isinstance(caller, UserCaller) else ANONYMOUS, found.user_id)
