"""Passwords: changing one, and resetting one by a mailed link."""

from __future__ import annotations

from app.accounts.access.callers import require_user
from app.accounts.people import password_changes
from app.accounts.security.text_input import pasted
from resolvers.context import Context
from resolvers.sign_in_mutations import SignedIn, replaced_session, require_hand_over, signed_in
from resolvers.users import Viewer, viewer_of


async def request_reset(context: Context, email_address: str) -> None:
    """Have a link mailed to an address, if it has an account."""
    runtime = context.runtime
    await password_changes.request_reset(
        runtime.database, runtime.keys, runtime.rate_limits, email_address, remote_address=context.remote_address
    )


async def reset_password(context: Context, token: str, new_password: str) -> SignedIn:
    """Follow a mailed link: the password is the new one, and the person is signed in, with a cookie."""
    require_hand_over(context, issue_token=None)
    runtime = context.runtime
    opened = await password_changes.reset_password(
        runtime.database,
        runtime.passwords,
        runtime.keys,
        runtime.rate_limits,
        pasted(token),
        new_password,
        user_agent=context.user_agent,
        replaces=replaced_session(context, issue_token=False),
    )
    return await signed_in(context, opened, issue_token=False)


async def change_password(context: Context, current_password: str, new_password: str) -> Viewer:
    """Change the person's password; their other sessions end."""
    caller, runtime = require_user(context.caller), context.runtime
    await password_changes.change_password(
        runtime.database,
        runtime.passwords,
        runtime.keys,
        runtime.rate_limits,
        caller,
        current_password,
        new_password,
    )
    return await viewer_of(context, caller)
