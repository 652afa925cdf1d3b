"""What people change about themselves: names, visibility, User ID."""

from __future__ import annotations

from collections.abc import Mapping

from app.accounts.access.callers import require_user
from app.accounts.people import profile_changes
from app.accounts.people.handles import counting_refusals
from app.accounts.people.users import Visibility
from app.accounts.security.rate_limits import Limit, count_unless_refused
from resolvers.context import Context
from resolvers.users import Viewer, change_account

# Each leaves a handle that nobody else can take for `handles.HOLD_PERIOD`.
_HANDLES_PER_USER = Limit("handle:user", most=5, per_seconds=86_400)


async def update_profile(context: Context, changes: Mapping[str, str | None]) -> Viewer:
    """Change what the person tells about themselves."""
    return await change_account(
        context, lambda session, caller: profile_changes.update_profile(session, caller, changes), "profile"
    )


async def set_visibility(context: Context, visibility: Visibility) -> Viewer:
    """Let everyone read the person's profile, or only fellow members."""
    return await change_account(
        context, lambda session, caller: profile_changes.set_visibility(session, caller, visibility), "visibility"
    )


async def change_handle(context: Context, handle: str) -> Viewer:
    """Let the person go by another User ID."""
    caller, runtime = require_user(context.caller), context.runtime

    async def change() -> Viewer:
        return await change_account(
            context,
            lambda session, caller: profile_changes.change_user_id(session, runtime.keys, caller, handle),
            "handle",
        )

    async def limited() -> Viewer:
        use = (_HANDLES_PER_USER, str(caller.user_id))
        return await count_unless_refused(runtime.database, runtime.rate_limits, change, use)

    return await counting_refusals(runtime.database, runtime.rate_limits, caller.user_id, limited)
