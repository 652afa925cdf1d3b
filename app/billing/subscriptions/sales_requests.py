"""Asking the sellers for a talk: about a plan by contract, a higher spend limit, or anything else that can't be chosen here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.callers import UserCaller
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.people.users import lock_joining_user
from app.accounts.security.rate_limits import Limit, RateLimits, count_begun
from app.accounts.security.secrets import Keys
from app.accounts.security.shared_errors import EmailUnverified
from app.catalog import Catalog, PlanKind
from app.db.engine import Session
from app.db.tables.trials import SalesRequestRow
from app.ids import uuid7
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.store import email_addresses as email_address_store
from app.store import sales_requests as sales_request_store

MOST_MESSAGE_CHARACTERS: Final = 2_000
PER_WORKSPACE_A_DAY: Final = Limit("sales:workspace-day", most=5, per_seconds=86_400)
PER_USER_A_DAY: Final = Limit("sales:user-day", most=10, per_seconds=86_400)

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


def scheduling_url(catalog: Catalog) -> str | None:
    """Where a talk can be arranged: as the plan by contract says; None where none does."""
    by_contract = (plan for plan in catalog.plans if plan.kind is PlanKind.ENTERPRISE and not plan.is_legacy)
    return next((plan.contact_url for plan in by_contract if plan.contact_url is not None), None)


async def ask_sales(
    session: Session,
    keys: Keys,
    limits: RateLimits,
    caller: UserCaller,
    authorize: Authorize,
    message: str | None,
    *,
    sales_address: str | None,
) -> None:
    """Keep a request, and mail it to the sellers, if they have given an address, to be answered to the caller's primary one.

    `authorize` checks the caller on locked rows. Raises `EmailUnverified` for a caller without a verified address, `RateLimited`,
    and `AccountClosing`.
    """
    # whoever is being deleted waits, and takes the request along
    await lock_joining_user(session, caller.user_id)
    access = await authorize(session)
    answer_to = await email_address_store.primary(session, caller.user_id)
    if answer_to is None:
        raise EmailUnverified("Verify your e-mail address first.")
    workspace = access.workspace
    await count_begun(session, limits, (PER_WORKSPACE_A_DAY, str(workspace.id)), (PER_USER_A_DAY, str(caller.user_id)))
    row = SalesRequestRow(
        workspace_id=workspace.id, id=uuid7(), user_id=caller.user_id, message=message, created_at=session.now
    )
    await sales_request_store.add(session, row)
    summary = "The sellers were asked to get in touch."
    await audit_log.record(session, workspace.id, Actor(user_id=caller.user_id), "sales.asked", summary)
    if sales_address is not None:
        mail = message_texts.sales_request(sales_address, workspace.handle, answer_to.address, message)
        queue_mail(session, mail, keys.mail, about=caller.user_id)
