"""Signing up, in and out, and the sessions that this opens and ends."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.access.callers import UserCaller, require_user
from app.accounts.people import sessions
from app.accounts.people import sign_in as sign_in_rules
from app.accounts.people import sign_up as sign_up_rules
from app.accounts.people.sessions import OpenedSession
from app.accounts.people.sign_up import SignUp
from app.accounts.security.text_input import pasted
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.errors import BadUserInput
from resolvers import global_ids
from resolvers.context import Context, NewCookie
from resolvers.users import Viewer, viewer_of


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who just signed in; `token` is None where the session travels in a cookie instead."""

    viewer: Viewer
    token: str | None


async def sign_up(context: Context, form: SignUp) -> None:
    """Take a sign-up form and mail its address, whoever has it."""
    runtime = context.runtime
    await sign_up_rules.sign_up(
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
    verified = await sign_up_rules.verify_email(
        runtime.database,
        runtime.keys,
        pasted(token),
        user_agent=context.user_agent,
        replaces=replaced_session(context, issue_token=issue_token),
        before_opening=lambda: require_hand_over(context, issue_token=issue_token),
        milestones=runtime.trials,
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
    opened = await sign_in_rules.sign_in(
        runtime.database,
        runtime.passwords,
        runtime.rate_limits,
        email_address,
        password,
        remote_address=context.remote_address,
        user_agent=context.user_agent,
        replaces=replaced_session(context, issue_token=issue_token),
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
    ended = global_ids.row_id(session_id, "Session")
    found = await viewer_of(context, caller)

    async def revoke(session: Session) -> None:
        await sessions.revoke_session(session, caller, ended)

    await transact(context.runtime.database, revoke, step="revoke-session")
    if ended == caller.session_id:
        context.new_cookies.append(NewCookie(None))
    return found


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


def replaced_session(context: Context, *, issue_token: bool) -> str | None:
    """The token in the cookie that the new session's takes the place of; None where the new one is handed over as a token."""
    return None if _shows_token(context, issue_token=issue_token) else context.session_cookie


async def signed_in(context: Context, opened: OpenedSession, *, issue_token: bool) -> SignedIn:
    """Hand over a session just opened: in the answer to a program that asked for it there, in a cookie to all others."""
    shows_token = _shows_token(context, issue_token=issue_token)
    if not shows_token:
        context.new_cookies.append(NewCookie(opened.token))
    found = await viewer_of(context, UserCaller(opened.user_id, opened.session_id))
    return SignedIn(found, opened.token if shows_token else None)


def _shows_token(context: Context, *, issue_token: bool) -> bool:
    return issue_token and not context.is_browser
