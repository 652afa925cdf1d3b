"""Profiles: what others may see of a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from app.accounts.access.callers import ANONYMOUS, Caller, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.people.users import User, Visibility, user_of
from app.db.engine import Session
from app.store import public_profiles as public_profile_store


async def profiles_of(session: Session, user_ids: Collection[UUID]) -> Mapping[UUID, User]:
    """The people with these ids, in one statement, for callers whose right to see them was checked."""
    return {
        row.UserRow.id: user_of(row.UserRow, row.WorkspaceRow)
        for row in await public_profile_store.many(session, user_ids)
    }


async def profile_for(session: Session, caller: Caller, user_id: UUID) -> User | None:
    """The person, if the caller may see their profile.

    A public one is everyone's to see; a private one its owner's, fellow members' of a workspace, and operators', who see every
    workspace's members and read them again by their ids.
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
    """The person who goes by `handle`, without regard to case, if the caller may see their profile as a person.

    See `profile_for`; handles can be guessed, so that no key finds a private one by its handle.
    """
    user_id = await public_profile_store.id_by_handle(session, handle.lower())
    if user_id is None:
        return None
    return await profile_for(session, caller if isinstance(caller, UserCaller) else ANONYMOUS, user_id)
