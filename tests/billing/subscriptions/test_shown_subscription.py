"""What is shown of a subscription, and of its being on the fallback plan."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.billing.allowances.usage_periods import month_around, usage_period
from app.billing.subscriptions.pending_changes import PendingChange, PendingChangeKind
from app.billing.subscriptions.shown_subscription import ShownSubscription, shown_subscription
from app.catalog import AddOnQuantity, BillingInterval, load_catalog
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.subscriptions import SubscriptionState
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.ids import uuid7
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store
from tests.support.accounts import new_person
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, end_subscription, subscribe, tell_recurring

_CATALOG = load_catalog(CATALOGS / "analytics.toml")
_TEAM = choice_of(_CATALOG, "team", 5)
_SOON = datetime(2027, 3, 1, tzinfo=UTC)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "now", "start", "end"),
    [
        ("2026-01-31T10:00", "2026-02-15", "2026-01-31T10:00", "2026-02-28T10:00"),
        ("2026-01-31T10:00", "2026-02-28T10:00", "2026-02-28T10:00", "2026-03-31T10:00"),
        ("2026-01-31T10:00", "2026-03-31T09:59", "2026-02-28T10:00", "2026-03-31T10:00"),
        ("2023-12-31", "2024-02-29", "2024-02-29", "2024-03-31"),
        ("2026-05-10", "2026-05-10", "2026-05-10", "2026-06-10"),
        ("2026-05-10", "2028-12-09", "2028-11-10", "2028-12-10"),
    ],
)
def test_months_are_counted_from_a_day_and_short_ones_end_on_their_last(
    anchor: str, now: str, start: str, end: str
) -> None:
    assert month_around(_day(now), _day(anchor)) == (_day(start), _day(end))


async def _shown(database: Database, workspace_id: UUID) -> ShownSubscription:
    return await shown_subscription(Reads(database), _CATALOG, workspace_id)


async def test_who_never_subscribed_is_on_the_fallback_plan_from_month_to_month(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    shown = await _shown(database, workspace_id)
    assert (shown.choice.terms.plan.code, shown.choice.interval, shown.choice.seats) == ("free", None, 1)
    assert (shown.status, shown.renews_at, shown.ends_at, shown.pending) == (SubscriptionState.ACTIVE, None, None, None)
    start, end = shown.period
    assert start <= Reads(database).now < end
    assert (shown.seats.total, shown.seats.used, shown.seats.available) == (1, 1, 0)


async def test_a_subscription_is_shown_as_it_was_bought(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    began = Reads(database).now - timedelta(days=3)
    yearly = choice_of(_CATALOG, "team", 5, BillingInterval.YEAR)
    await subscribe(database, workspace_id, yearly, started_at=began, period_end=began + timedelta(days=365))
    shown = await _shown(database, workspace_id)
    assert (shown.choice, shown.status) == (yearly, SubscriptionState.ACTIVE)
    assert shown.period == (began, began + timedelta(days=365))
    assert (shown.renews_at, shown.ends_at, shown.pending) == (shown.period[1], None, None)
    assert (shown.seats.total, shown.seats.used, shown.seats.available) == (5, 1, 4)


async def test_the_extras_of_a_subscription_are_shown(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    catalog = load_catalog(CATALOGS / "messaging.toml")
    numbers = (AddOnQuantity(code="phone-numbers", quantity=3),)
    choice = replace(choice_of(catalog, "business", 2), add_ons=numbers)
    await subscribe(database, workspace_id, choice)
    assert (await shown_subscription(Reads(database), catalog, workspace_id)).choice == choice


async def test_one_that_is_set_to_end_renews_no_more(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    end = PendingChange(kind=PendingChangeKind.CANCELLATION, choice=None, effective_at=_SOON)
    await subscribe(database, workspace_id, _TEAM, pending=end, ends_at=_SOON, period_end=_SOON)
    shown = await _shown(database, workspace_id)
    assert (shown.renews_at, shown.ends_at, shown.pending) == (None, _SOON, end)


async def test_what_is_decided_for_later_is_shown_with_its_plan(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    lower = PendingChange(
        kind=PendingChangeKind.DOWNGRADE, choice=choice_of(_CATALOG, "personal", 1), effective_at=_SOON
    )
    await subscribe(database, workspace_id, _TEAM, pending=lower)
    shown = await _shown(database, workspace_id)
    assert (shown.pending, shown.seats.available) == (lower, 0)
    assert shown.renews_at == shown.period[1]


async def test_after_one_has_ended_the_period_is_that_in_which_usage_is_counted(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    now = Reads(database).now
    began = now - timedelta(days=100)
    await subscribe(database, workspace_id, _TEAM, started_at=began)
    await transact(database, lambda session: workspace_store.anchor_usage(session, workspace_id, began))
    await end_subscription(database, workspace_id)
    shown = await _shown(database, workspace_id)
    assert (shown.status, shown.choice.terms.plan.code) == (SubscriptionState.CANCELED, "free")
    assert shown.renews_at is None
    async with database.read() as session:
        anchor = await workspace_store.usage_anchor(session, workspace_id)
    assert anchor is not None
    assert shown.period == usage_period(anchor, now)
    end = shown.period[1]
    assert end.day == min(began.day, monthrange(end.year, end.month)[1])


async def test_what_recurs_is_shown_only_as_it_was_told_for_this_version(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    await subscribe(database, workspace_id, _TEAM)

    async def told(version: int, minor: int) -> int | None:
        await tell_recurring(database, workspace_id, version, minor)
        return (await _shown(database, workspace_id)).recurring_total_minor

    assert await told(1, 9_500) == 9_500
    await subscribe(database, workspace_id, _TEAM)
    assert (await _shown(database, workspace_id)).recurring_total_minor is None
    assert await told(2, 9_600) == 9_600


async def test_the_version_rises_with_the_row_with_the_members_and_with_what_recurs(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    versions = [(await _shown(database, workspace_id)).version]

    async def joined(session: Session) -> None:
        await subscription_store.shown_changed(session, [workspace_id])

    await subscribe(database, workspace_id, _TEAM)
    versions.append((await _shown(database, workspace_id)).version)
    await transact(database, joined)
    versions.append((await _shown(database, workspace_id)).version)
    await tell_recurring(database, workspace_id, 1, 9_500)
    versions.append((await _shown(database, workspace_id)).version)
    assert versions == sorted(set(versions))
    # the same amount again is no news
    await tell_recurring(database, workspace_id, 1, 9_500)
    assert (await _shown(database, workspace_id)).version == versions[-1]


async def test_there_is_nothing_to_show_of_a_workspace_that_is_not_there(database: Database) -> None:
    with pytest.raises(NotFound):
        await _shown(database, uuid7())
