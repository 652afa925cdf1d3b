"""Subscriptions of workspaces, written as the provider's would be mirrored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert

from app.billing.subscriptions.pending_changes import PendingChange, pending_as_json
from app.billing.subscriptions.plan_choice import PlanChoice
from app.catalog import BillingInterval, Catalog, plan_terms
from app.db.engine import Database, Session
from app.db.tables.subscriptions import ChangeState, SubscriptionChangeRow, SubscriptionRow, SubscriptionState
from app.db.unit_of_work import transact
from app.store import subscriptions as subscription_store
from app.store import upcoming_invoices as upcoming_invoice_store


def choice_of(
    catalog: Catalog, plan_code: str, seats: int, interval: BillingInterval | None = BillingInterval.MONTH
) -> PlanChoice:
    """A plan of the catalog with so many seats."""
    plan = catalog.plan(plan_code)
    assert plan is not None
    return PlanChoice(plan_terms(catalog, plan), interval, seats)


async def subscribe(
    database: Database,
    workspace_id: UUID,
    choice: PlanChoice,
    *,
    status: SubscriptionState = SubscriptionState.ACTIVE,
    started_at: datetime | None = None,
    pending: PendingChange | None = None,
    **columns: object,
) -> None:
    """Let a workspace subscribe to a choice, in place of what it had; other columns of the row are as given."""

    async def write(session: Session) -> None:
        began = started_at or session.now
        values: dict[str, Any] = {
            "provider_id": f"sub_{uuid4().hex}",
            "status": status.value,
            "terms_id": choice.terms.id,
            "interval": choice.interval.value if choice.interval is not None else None,
            "seats": choice.seats,
            "add_ons": {each.code: each.quantity for each in choice.add_ons},
            "started_at": began,
            "period_start": began,
            "period_end": began + timedelta(days=30),
            "ends_at": None,
            "grace_ends_at": None,
            "pending": pending_as_json(pending) if pending is not None else None,
        }
        await _put(session, workspace_id, {**values, **columns})

    await transact(database, write)


async def end_subscription(database: Database, workspace_id: UUID) -> None:
    """Let a workspace's subscription be over: it is on the fallback plan."""
    ended: dict[str, Any] = {
        "provider_id": None, "status": SubscriptionState.CANCELED.value, "terms_id": None, "interval": None, "seats": None,
        "add_ons": {}, "period_start": None, "period_end": None, "ends_at": None, "pending": None,
    }  # fmt: skip
    await transact(database, lambda session: _put(session, workspace_id, ended))


async def _put(session: Session, workspace_id: UUID, values: dict[str, Any]) -> None:
    put = insert(SubscriptionRow).values(
        workspace_id=workspace_id, version=1, changed_at=session.now, checked_at=session.now, **values
    )
    raised = {"version": SubscriptionRow.version + 1, "changed_at": session.now}
    await session.execute(put.on_conflict_do_update(index_elements=["workspace_id"], set_={**values, **raised}))
    subscription_store.hint_changed(session, workspace_id)


async def tell_recurring(database: Database, workspace_id: UUID, version: int, total_minor: int) -> None:
    """Let the provider tell what recurs for a version of a workspace's subscription."""
    claim_id = uuid4()

    async def tell(session: Session) -> None:
        await upcoming_invoice_store.claim(
            session, workspace_id, claim_id, until=session.real_now, ask_again_after=timedelta()
        )
        await upcoming_invoice_store.keep(
            session, workspace_id, claim_id, version=version, invoice=None, recurring_total_minor=total_minor
        )

    await transact(database, tell)


async def begin_change(database: Database, workspace_id: UUID, *, seats_left: int | None) -> None:
    """Put a change of a workspace's subscription in flight, which leaves so many seats."""

    async def begin(session: Session) -> None:
        row = SubscriptionChangeRow(
            workspace_id=workspace_id,
            id=uuid4(),
            mutation="changeSeats",
            input_hash=b"",
            state=ChangeState.UNDER_WAY.value,
            subscription_id="sub_1",
            goal={},
            before={},
            seats_left=seats_left,
            created_at=session.now,
        )
        session.add(row)

    await transact(database, begin)
