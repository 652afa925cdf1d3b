"""The person who is asking: their account, addresses, sessions and workspaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.accounts.access import workspace_access
from app.accounts.access.callers import UserCaller, require_user
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.people import sessions, users
from app.accounts.people.users import User
from app.db.engine import Session
from app.db.tables.people import EmailRow, SessionRow
from app.db.unit_of_work import transact
from app.errors import Unauthenticated
from resolvers import global_ids
from resolvers.context import Context


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, and the session they are asking with."""

    user: User
    caller: UserCaller


async def viewer(context: Context) -> Viewer | None:
    """The signed-in person; None for keys and for nobody."""
    caller = context.caller
    return await viewer_of(context, caller) if isinstance(caller, UserCaller) else None


async def user(context: Context, user_id: str) -> Viewer | None:
    """The signed-in person by their id; None for anyone else's."""
    wanted, found = global_ids.row_id(user_id, "User"), await viewer(context)
    return found if found is not None and found.user.id == wanted else None


async def emails(context: Context, of: Viewer) -> Sequence[EmailRow]:
    """The person's addresses, the primary one first."""
    async with context.runtime.database.read() as session:
        return await users.emails_of(session, of.user.id)


async def primary_email(context: Context, of: Viewer) -> EmailRow:
    """The person's primary address or, where none is verified yet, their oldest: there always is one, and it comes first."""
    return (await emails(context, of))[0]


async def email(context: Context, email_id: str) -> EmailRow | None:
    """One of the signed-in person's addresses by its id."""
    wanted, found = global_ids.row_id(email_id, "Email"), await viewer(context)
    rows = await emails(context, found) if found is not None else ()
    return next((row for row in rows if row.id == wanted), None)


async def open_sessions(context: Context, of: Viewer) -> Sequence[SessionRow]:
    """The person's open sessions, the latest used first."""
    async with context.runtime.database.read() as session:
        return await sessions.sessions_of(session, of.user.id)


async def open_session(context: Context, session_id: str) -> tuple[SessionRow, UserCaller] | None:
    """One of the signed-in person's open sessions by its id, and with which of them they ask."""
    wanted, found = global_ids.row_id(session_id, "Session"), await viewer(context)
    rows = await open_sessions(context, found) if found is not None else ()
    return next(((row, found.caller) for row in rows if found is not None and row.id == wanted), None)


async def workspaces(context: Context, of: Viewer) -> Sequence[WorkspaceAccess]:
    """The workspaces the person belongs to, the personal one first."""
    async with context.runtime.database.read() as session:
        return await workspace_access.workspaces_of(session, of.caller)


async def personal_workspace(context: Context, of: Viewer) -> WorkspaceAccess:
    """The person's own workspace."""
    async with context.runtime.database.read() as session:
        return await workspace_for(session, of.caller, of.user.personal_workspace_id)


async def viewer_of(context: Context, caller: UserCaller) -> Viewer:
    """The person who is asking, as they are now; raises `Unauthenticated` when the account is gone."""
    async with context.runtime.database.read() as session:
        found = await users.find_user(session, caller.user_id)
    if found is None:
        raise Unauthenticated
    return Viewer(found, caller)


async def change_account(context: Context, work: Callable[[Session, UserCaller], Awaitable[None]], step: str) -> Viewer:
    caller = require_user(context.caller)
    await transact(context.runtime.database, lambda session: work(session, caller), step=step)
    return await viewer_of(context, caller)
