"""The person who is asking: their account, addresses, sessions and workspaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.accounts.access import workspace_access
from app.accounts.access.callers import UserCaller, require_user
from app.accounts.access.workspace_access import WorkspaceAccess, access_of
from app.accounts.people import sessions
from app.accounts.people.users import User, user_of
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.errors import Unauthenticated
from app.store import users as user_store
from app.store.sessions import OpenSession
from app.store.users import Email
from app.store.workspaces import SeenWorkspace
from resolvers import global_ids
from resolvers.context import Context


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, the session they are asking with, and their personal workspace as it was read with them."""

    user: User
    caller: UserCaller
    personal: SeenWorkspace


async def viewer(context: Context) -> Viewer | None:
    """The signed-in person; None for keys and for nobody."""
    caller = context.caller
    if not isinstance(caller, UserCaller):
        return None
    person = context.person
    return Viewer(user_of(person), caller, person.personal) if person is not None else await viewer_of(context, caller)


async def user(context: Context, user_id: str) -> Viewer | None:
    """The signed-in person by their id; None for anyone else's."""
    wanted, found = global_ids.row_id(user_id, "User"), await viewer(context)
    return found if found is not None and found.user.id == wanted else None


async def emails(context: Context, of: Viewer) -> Sequence[Email]:
    """The person's addresses, the primary one first, then the oldest."""
    return await context.reads.all_of(user_store.EMAILS, of.user.id)


async def primary_email(context: Context, of: Viewer) -> Email:
    """The person's primary address or, where none is verified yet, their oldest: there always is one, and it comes first."""
    return (await emails(context, of))[0]


async def email(context: Context, email_id: str) -> Email | None:
    """One of the signed-in person's addresses by its id."""
    wanted, found = global_ids.row_id(email_id, "Email"), await viewer(context)
    rows = await emails(context, found) if found is not None else ()
    return next((row for row in rows if row.id == wanted), None)


async def open_sessions(context: Context, of: Viewer) -> Sequence[OpenSession]:
    """The person's open sessions, the latest used first."""
    return await sessions.sessions_of(context.reads, of.user.id)


async def open_session(context: Context, session_id: str) -> tuple[OpenSession, UserCaller] | None:
    """One of the signed-in person's open sessions by its id, and with which of them they ask."""
    wanted, found = global_ids.row_id(session_id, "Session"), await viewer(context)
    rows = await open_sessions(context, found) if found is not None else ()
    return next(((row, found.caller) for row in rows if found is not None and row.id == wanted), None)


async def workspaces(context: Context, of: Viewer) -> Sequence[WorkspaceAccess]:
    """The workspaces the person belongs to, the personal one first."""
    return await workspace_access.workspaces_of(context.reads, of.caller)


def personal_workspace(of: Viewer) -> WorkspaceAccess:
    """The person's own workspace."""
    return access_of(of.caller, of.personal)


async def viewer_of(context: Context, caller: UserCaller) -> Viewer:
    """The person who is asking, as they are now; raises `Unauthenticated` when the account is gone."""
    found = await context.reads.one_of(user_store.PEOPLE, caller.user_id)
    if found is None:
        raise Unauthenticated
    return Viewer(user_of(found), caller, found.personal)


async def change_account(context: Context, work: Callable[[Session, UserCaller], Awaitable[None]], step: str) -> Viewer:
    caller = require_user(context.caller)
    await transact(context.runtime.database, lambda session: work(session, caller), step=step)
    return await viewer_of(context, caller)
