"""Profiles as others see them: who may see whose, by id or by handle."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from app.accounts.access.callers import ANONYMOUS, Caller, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.people.users import User, Visibility, user_of
from app.accounts.security.text_input import trimmed
from app.db.engine import Session
from app.store import public_profiles as public_profile_store


async def profiles_of(session: Session, user_ids: Collection[UUID]) -> Mapping[UUID, User]:
    """The users with these ids, in one statement. The caller's right to see them must have been checked."""
    return {
        row.UserRow.id: user_of(row.UserRow, row.WorkspaceRow)
        for row in await public_profile_store.many(session, user_ids)
    }


async def profile_for(session: Session, caller: Caller, user_id: UUID) -> User | None:
    """The user, if the caller may see their profile.

    Everyone may see a public profile. A private one may be seen by its owner, by fellow members of a workspace, and by operators,
    who see the members of every workspace anyway.
    """
    found = (await profiles_of(session, [user_id])).get(user_id)
    if found is None or found.visibility is Visibility.PUBLIC:
        return found
    match caller:
        case UserCaller():
            sees = caller.user_id == user_id or await public_profile_store.share_workspace(
                session, caller.user_id, user_id
            )
        case KeyCaller():
            sees = caller.is_service and ApiScope.OPERATOR in caller.scopes
        case _:
            sees = False
    return found if sees else None


async def profile_by_handle(session: Session, caller: Caller, handle: str) -> User | None:
    """The user with this handle, without regard to case, if the caller may see their profile.

    As `profile_for`, but for keys, which see only public profiles here: handles can be guessed.
    """
    user_id = await public_profile_store.id_by_handle(session, trimmed(handle).lower())
    if user_id is None:
        return None
    return await profile_for(session, caller if isinstance(caller, UserCaller) else ANONYMOUS, user_id)
