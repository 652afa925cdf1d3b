"""The person who is asking: signing up, in and out, their sessions and addresses, and the phones of their workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.accounts import access, phones, sessions, users
from app.accounts.access import UserCaller, WorkspaceAccess, require_user, workspace_for
from app.accounts.phones import PhoneOf
from app.accounts.sessions import OpenedSession
from app.accounts.sign_in import sign_in as open_by_password
from app.accounts.sign_up import SignUp
from app.accounts.sign_up import sign_up as take_form
from app.accounts.sign_up import verify_email as follow_link
from app.accounts.users import User
from app.db.engine import Session
from app.db.tables.accounts import EmailRow, SessionRow
from app.db.unit_of_work import transact
from app.errors import BadUserInput, Unauthenticated
from resolvers import ids
from resolvers.context import Context, NewCookie


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, and the session they are asking with."""

    user: User
    caller: UserCaller


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who just signed in; `token` is None where the session travels in a cookie instead."""

    viewer: Viewer
    token: str | None


async def viewer(context: Context) -> Viewer | None:
    """The signed-in person; None for keys and for nobody."""
    caller = context.caller
    return await viewer_of(context, caller) if isinstance(caller, UserCaller) else None


async def user(context: Context, user_id: str) -> Viewer | None:
    """The signed-in person by their id; None for anyone else's."""
    wanted, found = ids.row_id(user_id, "User"), await viewer(context)
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
    wanted, found = ids.row_id(email_id, "Email"), await viewer(context)
    rows = await emails(context, found) if found is not None else ()
    return next((row for row in rows if row.id == wanted), None)


async def open_sessions(context: Context, of: Viewer) -> Sequence[SessionRow]:
    """The person's open sessions, the latest used first."""
    async with context.runtime.database.read() as session:
        return await sessions.sessions_of(session, of.user.id)


async def open_session(context: Context, session_id: str) -> tuple[SessionRow, UserCaller] | None:
    """One of the signed-in person's open sessions by its id, and with which of them they ask."""
    wanted, found = ids.row_id(session_id, "Session"), await viewer(context)
    rows = await open_sessions(context, found) if found is not None else ()
    return next(((row, found.caller) for row in rows if found is not None and row.id == wanted), None)


async def workspaces(context: Context, of: Viewer) -> Sequence[WorkspaceAccess]:
    """The workspaces the person belongs to, the personal one first."""
    async with context.runtime.database.read() as session:
        return await access.workspaces_of(session, of.caller)


async def personal_workspace(context: Context, of: Viewer) -> WorkspaceAccess:
    """The person's own workspace."""
    async with context.runtime.database.read() as session:
        return await workspace_for(session, of.caller, of.user.personal_workspace_id)


async def sign_up(context: Context, form: SignUp) -> None:
    """Take a sign-up form and mail its address, whoever has it."""
    runtime = context.runtime
    await take_form(
        runtime.database,
        runtime.passwords,
        runtime.keys,
        runtime.rate_limits,
        form,
        remote_address=context.remote_address,
        public_url=runtime.public_url,
    )


async def verify_email(context: Context, token: str, *, issue_token: bool) -> SignedIn | None:
    """Follow a mailed link: it makes the account and signs in, or verifies an address that was added to one.

    For an added address it is the caller as they are now; None when the one who followed the link is not signed in as its user.
    """
    runtime = context.runtime
    verified = await follow_link(
        runtime.database,
        runtime.keys,
        token,
        user_agent=context.user_agent,
        before_opening=lambda: require_hand_over(context, issue_token=issue_token),
    )
    if verified.opened is not None:
        return await signed_in(context, verified.opened, issue_token=issue_token)
    caller = context.caller
    if not isinstance(caller, UserCaller) or caller.user_id != verified.user_id:
        return None
    return SignedIn(await viewer_of(context, caller), None)


async def sign_in(context: Context, email_address: str, password: str, *, issue_token: bool) -> SignedIn:
    """Sign in by address and password."""
    require_hand_over(context, issue_token=issue_token)
    runtime = context.runtime
    opened = await open_by_password(
        runtime.database,
        runtime.passwords,
        runtime.rate_limits,
        email_address,
        password,
        remote_address=context.remote_address,
        user_agent=context.user_agent,
    )
    return await signed_in(context, opened, issue_token=issue_token)


async def sign_out(context: Context) -> bool:
    """End the session the request came with, and its cookie; False when there was none."""
    caller = context.caller
    ended = await transact(
        context.runtime.database, lambda session: sessions.sign_out(session, caller), step="sign-out"
    )
    context.new_cookies.append(NewCookie(None))
    return ended


async def revoke_session(context: Context, session_id: str) -> Viewer:
    """End one of the person's sessions; the very one the request came with is signed out of."""
    caller = require_user(context.caller)
    ended = ids.row_id(session_id, "Session")
    found = await viewer_of(context, caller)

    async def revoke(session: Session) -> None:
        await sessions.revoke_session(session, caller, ended)

    await transact(context.runtime.database, revoke, step="revoke-session")
    if ended == caller.session_id:
        context.new_cookies.append(NewCookie(None))
    return found


async def send_phone_verification(context: Context, workspace_id: str, phone_number: str, region: str | None) -> None:
    """Text a code to a number that is to be verified for a workspace."""
    runtime = context.runtime
    await phones.send_code(
        runtime.database,
        runtime.texter,
        runtime.keys,
        runtime.rate_limits,
        context.caller,
        PhoneOf(_workspace_id(context, workspace_id), phone_number, region),
        remote_address=context.remote_address,
        countries=runtime.phone_countries,
    )


async def verify_phone(
    context: Context, workspace_id: str, phone_number: str, region: str | None, code: str
) -> WorkspaceAccess:
    """Verify a number for a workspace with the code that was texted."""
    runtime = context.runtime
    phone = PhoneOf(_workspace_id(context, workspace_id), phone_number, region)
    return await phones.verify_phone(runtime.database, runtime.texter, runtime.keys, context.caller, phone, code)


def _workspace_id(context: Context, workspace_id: str) -> UUID:
    # nobody learns whether an id is one
    require_user(context.caller)
    return ids.workspace_id(workspace_id)


async def viewer_of(context: Context, caller: UserCaller) -> Viewer:
    """The person who is asking, as they are now; raises `Unauthenticated` when the account is gone."""
    async with context.runtime.database.read() as session:
        found = await users.find_user(session, caller.user_id)
    if found is None:
        raise Unauthenticated
    return Viewer(found, caller)


def require_hand_over(context: Context, *, issue_token: bool | None) -> None:
    """Raise `BadUserInput` where a session, once opened, could be handed to nobody: asked before anything is changed or used up.

    `issue_token` is None where no token can be asked for.
    """
    if context.takes_cookies or _shows_token(context, issue_token=issue_token is True):
        return
    message = "A socket can't set the cookie of a session: send this by HTTP"
    if issue_token is None or context.is_browser:
        raise BadUserInput(f"{message}.")
    raise BadUserInput(f"{message}, or ask for a token with issueToken.")


async def signed_in(context: Context, opened: OpenedSession, *, issue_token: bool) -> SignedIn:
    """Hand over a session just opened: in the answer to a program that asked for it there, in a cookie to all others."""
    shows_token = _shows_token(context, issue_token=issue_token)
    if not shows_token:
        context.new_cookies.append(NewCookie(opened.token))
    found = await viewer_of(context, UserCaller(opened.user_id, opened.session_id))
    return SignedIn(found, opened.token if shows_token else None)


def _shows_token(context: Context, *, issue_token: bool) -> bool:
    return issue_token and not context.is_browser
