"""Asking the sellers to get in touch."""

from __future__ import annotations

from app.accounts.access.callers import require_user
from app.accounts.security.text_input import optional_text
from app.billing.subscriptions.sales_requests import MOST_MESSAGE_CHARACTERS, ask_sales, scheduling_url
from app.db.engine import Session
from app.db.unit_of_work import transact
from resolvers import global_ids
from resolvers.billing_access import billing_authorization
from resolvers.context import Context


async def contact_sales(context: Context, workspace_global_id: str, message: str | None) -> str | None:
    """Have the sellers get in touch with the person who asks; the address of a page to arrange a talk on, if there is one."""
    caller = require_user(context.caller)
    authorize = billing_authorization(context, global_ids.workspace_id(workspace_global_id))
    runtime = context.runtime
    async with runtime.database.read() as session:
        await authorize(session)
    written = optional_text(message, "A message", at_most=MOST_MESSAGE_CHARACTERS, path=("input", "message"))

    async def ask(session: Session) -> None:
        await ask_sales(
            session,
            runtime.keys,
            runtime.rate_limits,
            caller,
            authorize,
            written,
            sales_address=runtime.sales_address,
        )

    await transact(runtime.database, ask, step="sales.ask")
    return scheduling_url(runtime.catalog)
