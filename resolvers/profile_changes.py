"""What people change about themselves: names, visibility, User ID, e-mail addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from app.accounts.access.callers import UserCaller, require_user
from app.accounts.people import email_addresses
from app.accounts.people import profile_changes as rules
from app.accounts.people.handles import counting_refusals
from app.accounts.people.public_profiles import profile_by_handle
from app.accounts.people.users import User, Visibility
from app.accounts.security.rate_limits import Limit, count_unless_refused
from app.db.engine import Session
from app.db.tables.people import EmailRow
from app.db.unit_of_work import transact
from resolvers import global_ids
from resolvers.context import Context
from resolvers.current_user import Viewer, viewer_of

# Each leaves a handle that nobody else can have for 30 days.
_HANDLES_PER_USER = Limit("handle:user", most=5, per_seconds=86_400)


async def by_handle(context: Context, handle: str) -> User | None:
    """The person who goes by a handle, if the caller may see their profile."""
    async with context.runtime.database.read() as session:
        return await profile_by_handle(session, context.caller, handle)


async def update_profile(context: Context, changes: Mapping[str, str | None]) -> Viewer:
    """Change what the person tells about themselves."""
    return await _change(context, lambda session, caller: rules.update_profile(session, caller, changes), "profile")


async def set_visibility(context: Context, visibility: Visibility) -> Viewer:
    """Let everyone read the person's profile, or only fellow members."""
    return await _change(
        context, lambda session, caller: rules.set_visibility(session, caller, visibility), "visibility"
    )


async def change_handle(context: Context, handle: str) -> Viewer:
    """Let the person go by another User ID."""
    caller, runtime = require_user(context.caller), context.runtime

    async def change() -> Viewer:
        return await _change(
            context, lambda session, caller: rules.change_user_id(session, runtime.keys, caller, handle), "handle"
        )

    async def limited() -> Viewer:
        use = (_HANDLES_PER_USER, str(caller.user_id))
        return await count_unless_refused(runtime.database, runtime.rate_limits, change, use)

    return await counting_refusals(runtime.database, runtime.rate_limits, caller.user_id, limited)


async def add_email(context: Context, address: str) -> EmailRow:
    """Add an address, and mail it a link."""
    runtime = context.runtime
    return await email_addresses.add_email(
        runtime.database,
        runtime.keys,
        runtime.rate_limits,
        require_user(context.caller),
        address,
        remote_address=context.remote_address,
        public_url=runtime.public_url,
    )


async def send_email_verification(context: Context, email_id: str) -> EmailRow:
    """Mail another link to one of the person's addresses."""
    caller, runtime = require_user(context.caller), context.runtime
    return await email_addresses.send_verification(
        runtime.database,
        runtime.keys,
        runtime.rate_limits,
        caller,
        global_ids.row_id(email_id, "Email"),
        remote_address=context.remote_address,
        public_url=runtime.public_url,
    )


async def set_primary_email(context: Context, email_id: str) -> EmailRow:
    """Make one of the person's verified addresses the primary one."""
    caller, runtime = require_user(context.caller), context.runtime
    chosen = global_ids.row_id(email_id, "Email")
    return await transact(
        runtime.database,
        lambda session: email_addresses.set_primary(session, runtime.keys, caller, chosen),
        step="email.primary",
    )


async def remove_email(context: Context, email_id: str) -> Viewer:
    """Forget one of the person's addresses."""
    require_user(context.caller)
    removed, keys = global_ids.row_id(email_id, "Email"), context.runtime.keys
    return await _change(
        context, lambda session, caller: email_addresses.remove_email(session, keys, caller, removed), "email.remove"
    )


async def _change(context: Context, work: Callable[[Session, UserCaller], Awaitable[None]], step: str) -> Viewer:
    caller = require_user(context.caller)
    await transact(context.runtime.database, lambda session: work(session, caller), step=step)
    return await viewer_of(context, caller)
