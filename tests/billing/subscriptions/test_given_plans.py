"""Plans that are given: nothing of them is at the payment provider, and they end on their day whoever is looking."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.accounts.access.audit_log import OPERATOR
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.given_plans import PaidPlan
from app.billing.subscriptions.pending_changes import PendingChangeKind
from app.billing.subscriptions.seats import seats_now
from app.billing.subscriptions.shown_subscription import ShownSubscription, shown_subscription
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import AddOnQuantity, BillingInterval, load_catalog
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.access import AuditEventRow
from app.db.tables.provider import PlanTermsRow
from app.db.tables.subscriptions import NoticeRow, SubscriptionState
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.store import subscriptions as subscription_store
from tests.support.accounts import at_later, new_person
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, subscribe

_CATALOG = load_catalog(CATALOGS / "messaging.toml")
_ENTERPRISE = replace(
    choice_of(_CATALOG, "enterprise", 80, None), add_ons=(AddOnQuantity(code="phone-numbers", quantity=3),)
)
_DAY = timedelta(days=1)


async def _workspace(database: Database) -> UUID:
    return (await new_person(database)).user.personal_workspace_id


async def _give(database: Database, workspace_id: UUID, *, ends_in: timedelta | None = None) -> datetime | None:
    ends_at = database.clock.now() + ends_in if ends_in is not None else None

    async def give(session: Session) -> None:
        await given_plans.give(session, _CATALOG, workspace_id, _ENTERPRISE, actor=OPERATOR, ends_at=ends_at)

    await transact(database, give)
    return ends_at


async def _shown(database: Database, workspace_id: UUID) -> ShownSubscription:
    return await shown_subscription(Reads(database), _CATALOG, workspace_id)


async def _free(database: Database, workspace_id: UUID) -> int:
    seats = await transact(database, lambda session: seats_now(session, _CATALOG, workspace_id))
    return seats.available


async def _check(database: Database, workspace_id: UUID) -> bool:
    return await transact(database, lambda session: given_plans.check_due(session, _CATALOG, workspace_id))


async def _told(database: Database, workspace_id: UUID) -> list[str]:
    query = select(NoticeRow.reason).where(NoticeRow.workspace_id == workspace_id).order_by(NoticeRow.created_at)
    async with database.read() as session:
        return [reason.partition(":")[0] for reason in await session.scalars(query)]


async def _next_check(database: Database, workspace_id: UUID) -> datetime | None:
    async with database.read() as session:
        row = await subscription_store.find(session, workspace_id)
    assert row is not None
    return row.next_check_at


async def _recorded(database: Database, workspace_id: UUID) -> list[str]:
    query = select(AuditEventRow.action).where(AuditEventRow.workspace_id == workspace_id).order_by(AuditEventRow.id)
    async with database.read() as session:
        return [action for action in await session.scalars(query) if action != "workspace.created"]


async def test_a_given_plan_is_shown_with_its_seats_and_add_ons_and_nothing_renews(database: Database) -> None:
    workspace_id = await _workspace(database)
    await _give(database, workspace_id)
    shown = await _shown(database, workspace_id)
    assert (shown.choice, shown.status) == (_ENTERPRISE, SubscriptionState.ACTIVE)
    assert (shown.seats.total, shown.seats.available) == (80, 79)
    assert (shown.renews_at, shown.ends_at, shown.pending, shown.recurring_total_minor) == (None, None, None, None)
    assert shown.period[0] <= database.clock.now() < shown.period[1]


async def test_an_interval_is_left_out_since_nothing_is_billed(database: Database) -> None:
    workspace_id = await _workspace(database)
    monthly = choice_of(_CATALOG, "business", 7, BillingInterval.MONTH)
    await transact(database, lambda session: given_plans.give(session, _CATALOG, workspace_id, monthly, actor=OPERATOR))
    shown = await _shown(database, workspace_id)
    assert (shown.choice.terms.plan.code, shown.choice.interval, shown.choice.seats) == ("business", None, 7)


async def test_its_end_is_shown_as_decided_and_limits_nobody_until_then(database: Database) -> None:
    workspace_id = await _workspace(database)
    ends_at = await _give(database, workspace_id, ends_in=10 * _DAY)
    shown = await _shown(database, workspace_id)
    assert shown.pending is not None
    assert (shown.pending.kind, shown.pending.choice) == (PendingChangeKind.CANCELLATION, None)
    assert shown.pending.effective_at == shown.ends_at == ends_at
    assert shown.seats.available == 79
    assert await _free(database, workspace_id) == 79


async def test_it_ends_on_its_day_though_no_worker_runs(database: Database) -> None:
    workspace_id = await _workspace(database)
    await _give(database, workspace_id, ends_in=_DAY)
    later = at_later(database, _DAY)
    shown = await _shown(later, workspace_id)
    assert shown.choice.terms.plan.code == "inactive"
    assert (shown.seats.total, shown.status) == (1, SubscriptionState.CANCELED)
    assert (shown.ends_at, shown.pending, shown.choice.add_ons) == (None, None, ())
    assert (await transact(later, lambda session: plan_of(session, _CATALOG, workspace_id))).code == "inactive"
    assert await _free(later, workspace_id) == 0


async def test_the_worker_writes_the_end_down_and_tells_the_owners_once(database: Database) -> None:
    workspace_id = await _workspace(database)
    ends_at = await _give(database, workspace_id, ends_in=_DAY)
    before = await _shown(database, workspace_id)
    assert await _next_check(database, workspace_id) == ends_at
    assert await _check(database, workspace_id)
    assert (await _shown(database, workspace_id)).choice == _ENTERPRISE
    later = at_later(database, _DAY)
    shown = await _shown(later, workspace_id)
    assert await _check(later, workspace_id)
    assert not await _check(later, workspace_id)
    after = await _shown(later, workspace_id)
    assert replace(after, version=0) == replace(shown, version=0)
    assert after.version > before.version
    assert await _told(database, workspace_id) == ["PLAN_GIVEN", "GIVEN_PLAN_ENDED"]
    assert await _recorded(database, workspace_id) == ["subscription.given", "subscription.given_ended"]


async def test_nothing_is_called_off_at_the_provider_when_a_given_plan_ends(fresh_database: Database) -> None:
    workspace_id = await _workspace(fresh_database)
    await _give(fresh_database, workspace_id)
    assert await transact(
        fresh_database, lambda session: given_plans.end(session, _CATALOG, workspace_id, actor=OPERATOR)
    )
    assert not await transact(
        fresh_database, lambda session: given_plans.end(session, _CATALOG, workspace_id, actor=OPERATOR)
    )
    async with fresh_database.read() as session:
        queued = select(text("entrypoint")).select_from(text("pgqueuer"))
        tasks = set((await session.scalars(queued)).all())
    assert tasks.isdisjoint({"void_unpaid", "refresh_upcoming"})


async def test_another_plan_takes_the_place_of_a_given_one(database: Database) -> None:
    workspace_id = await _workspace(database)
    await _give(database, workspace_id, ends_in=_DAY)
    starter = choice_of(_CATALOG, "starter", 4, None)
    await transact(database, lambda session: given_plans.give(session, _CATALOG, workspace_id, starter, actor=OPERATOR))
    shown = await _shown(database, workspace_id)
    assert (shown.choice, shown.ends_at) == (starter, None)
    assert await _next_check(database, workspace_id) is None


async def test_no_plan_is_given_in_place_of_a_paid_one(database: Database) -> None:
    workspace_id = await _workspace(database)
    await subscribe(database, workspace_id, choice_of(_CATALOG, "starter", 2))
    before = await _shown(database, workspace_id)
    with pytest.raises(PaidPlan):
        await _give(database, workspace_id)
    assert not await transact(
        database, lambda session: given_plans.end(session, _CATALOG, workspace_id, actor=OPERATOR)
    )
    assert not await _check(database, workspace_id)
    assert await _shown(database, workspace_id) == before


async def test_a_given_plan_can_not_have_ended_already(database: Database) -> None:
    workspace_id = await _workspace(database)
    with pytest.raises(InvalidInput):
        await _give(database, workspace_id, ends_in=timedelta())
    assert (await _shown(database, workspace_id)).choice.terms.plan.code == "inactive"


async def test_terms_are_kept_that_were_never_synced_to_the_provider(fresh_database: Database) -> None:
    workspace_id = await _workspace(fresh_database)
    await _give(fresh_database, workspace_id)
    async with fresh_database.read() as session:
        kept = (await session.scalars(select(PlanTermsRow.id))).all()
    assert kept == [_ENTERPRISE.terms.id]
