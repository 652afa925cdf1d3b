"""The next bills of workspaces: who asks the provider for one, and what it told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import literal, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionRow, UpcomingInvoiceRow
from app.store import subscriptions as subscription_store


async def claim(
    session: Session, workspace_id: UUID, claim_id: UUID, *, until: datetime, ask_again_after: timedelta
) -> SubscriptionRow | None:
    """Let the caller ask for the next bill, alone until a time (the wall's); the subscription to ask for.

    None where somebody is asking, has asked for this version within `ask_again_after`, or nothing is subscribed to.
    """
    row = UpcomingInvoiceRow
    asker = {"claim_id": claim_id, "claimed_until": until, "tried_at": session.now}
    given = select(
        SubscriptionRow.workspace_id,
        SubscriptionRow.version,
        *(literal(value, row.__table__.c[name].type) for name, value in asker.items()),
    ).where(SubscriptionRow.workspace_id == workspace_id, SubscriptionRow.provider_id.is_not(None))
    put = insert(row).from_select(["workspace_id", "tried_version", *asker], given)
    is_free = row.claimed_until.is_(None) | (row.claimed_until <= session.real_now)
    is_due = (
        row.tried_at.is_(None)
        | (row.tried_at <= session.now - ask_again_after)
        | row.tried_version.is_distinct_from(put.excluded.tried_version)
    )
    claimed = await session.execute(
        put.on_conflict_do_update(
            index_elements=["workspace_id"],
            set_={"tried_version": put.excluded.tried_version, **asker},
            where=is_free & is_due,
        ).returning(row.workspace_id)
    )
    if claimed.one_or_none() is None:
        return None
    return await session.get(SubscriptionRow, workspace_id, populate_existing=True)


async def keep(
    session: Session,
    workspace_id: UUID,
    claim_id: UUID,
    *,
    version: int,
    invoice: dict[str, Any] | None,
    recurring_total_minor: int | None,
) -> None:
    """Keep the next bill as it was told for a version of the subscription, unless somebody else asks by now; the claim ends.

    What recurs is shown with the subscription, so who watches that is told of another amount.
    """
    row = UpcomingInvoiceRow
    known = select(row.recurring_total_minor).where(row.workspace_id == workspace_id, row.version == version)
    before = await session.scalar(known)
    values = {
        "version": version,
        "asked_at": session.now,
        "invoice": invoice,
        "recurring_total_minor": recurring_total_minor,
    }
    put = _claimed(workspace_id, claim_id).values(**values, claim_id=None, claimed_until=None)
    kept = (await session.execute(put.returning(row.workspace_id))).one_or_none()
    if kept is not None and before != recurring_total_minor:
        await subscription_store.shown_changed(session, [workspace_id])


async def end_claim(session: Session, workspace_id: UUID, claim_id: UUID) -> None:
    """Stop asking for the next bill without an answer."""
    await session.execute(_claimed(workspace_id, claim_id).values(claim_id=None, claimed_until=None))


def _claimed(workspace_id: UUID, claim_id: UUID) -> Any:
    row = UpcomingInvoiceRow
    return update(row).where(row.workspace_id == workspace_id, row.claim_id == claim_id)
