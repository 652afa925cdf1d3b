"""The e-mail addresses of an account: adding, verifying, choosing and removing them."""

from __future__ import annotations

from app.accounts.access.callers import require_user
from app.accounts.people import email_addresses
from app.db.tables.people import EmailRow
from app.db.unit_of_work import transact
from resolvers import global_ids
from resolvers.context import Context
from resolvers.users import Viewer, change_account


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
    return await change_account(
        context, lambda session, caller: email_addresses.remove_email(session, keys, caller, removed), "email.remove"
    )
