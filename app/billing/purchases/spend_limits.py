"""The monthly spend limit: how much may be charged for credits in a calendar month, by the plan or set by an operator.

What was charged counts, and refunds do not free it: otherwise a limit against misuse of cards could be passed by asking for the
money back. An operator can raise it for a workspace.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.accounts.access import audit_log
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Catalog, Plan
from app.db.engine import Session
from app.db.reads import rows_in
from app.db.tables.payments import BillingAccountRow
from app.error_codes import ErrorCode
from app.errors import DomainError, NotFound
from app.money import Money
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from app.store import workspaces as workspace_store
from app.store.billing_accounts import Account


class SpendLimitReached(DomainError):
    """This would pass the plan's limit of what may be spent on credits in a month."""

    code = ErrorCode.SPEND_LIMIT_REACHED


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The calendar month (UTC) that `moment` lies in: its start, and the next one's."""
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)


def spend_limit(catalog: Catalog, plan: Plan, account: BillingAccountRow | Account | None) -> Money | None:
    """The most that may be charged for credits in a month: what an operator set, else the limit of the plan that the workspace is
    on; None: no limit.
    """
    if account is not None and account.monthly_spend_limit_minor is not None:
        return Money(account.monthly_spend_limit_minor, catalog.currency)
    return plan.monthly_spend_limit


async def check_spend_limit(session: Session, catalog: Catalog, account: BillingAccountRow, amount_minor: int) -> None:
    """Raise `SpendLimitReached` if charging `amount_minor` more this month would pass the limit. `account` is locked."""
    limit = spend_limit(catalog, await plan_of(session, catalog, account.workspace_id), account)
    if limit is None:
        return
    since, until = month_of(session.now)
    [spent] = await rows_in(session, purchase_store.SPENT, account.workspace_id, since, until)
    if spent + amount_minor > limit.minor:
        left = Money(max(0, limit.minor - spent), limit.currency)
        raise SpendLimitReached(
            f"At most {limit} may be spent on credits a month; {left.amount} of it is left, tax included. "
            "A higher limit is asked for with contactSales."
        )


async def set_limit(session: Session, catalog: Catalog, handle: str, limit: Money | None) -> str:
    """Let a workspace spend `limit` a month, None for its plan's own limit; returns a sentence about it. Raises `NotFound`."""
    workspace_id = await workspace_store.id_by_handle(session, handle.strip().lower())
    if workspace_id is None:
        raise NotFound(f"There is no workspace with the handle {handle!r}.")
    account = await billing_account_store.lock(session, workspace_id)
    plan = await plan_of(session, catalog, workspace_id)
    before = spend_limit(catalog, plan, account)
    account.monthly_spend_limit_minor = limit.minor if limit is not None else None
    after = spend_limit(catalog, plan, account)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.OPERATOR,
        "spend_limit.set",
        "An operator set the monthly spend limit.",
        before={"limit": str(before) if before is not None else None},
        after={"limit": str(after) if after is not None else None},
    )
    if limit is None:
        return f"{handle} has its plan's own limit again."
    return f"{handle} may spend {limit} on credits a month."
