"""What workspaces subscribe to, and the changes of it that are under way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.subscriptions import (
    IN_FLIGHT,
    FallbackPlanRow,
    NoticeRow,
    SubscriptionChangeRow,
    SubscriptionRow,
)
from app.db.tables.workspaces import WorkspaceRow

TOPIC: Final = "subscription"
"""What screens that show a subscription listen to."""

FALLBACK_SEATS: Final = "(SELECT f.seats FROM fallback_plan f WHERE f.id = 1)"
"""SQL: how many seats a workspace has that is on the fallback plan; NULL where no server was ever started."""
SEATS_OF_MEMBERSHIP: Final = (
    f"coalesce((SELECT s.seats FROM subscriptions s WHERE s.workspace_id = m.workspace_id), {FALLBACK_SEATS})"
)
"""SQL: how many seats the workspace of the membership `m` has, unless `GIVEN_UNTIL_OF_MEMBERSHIP` has passed."""
GIVEN_UNTIL_OF_MEMBERSHIP: Final = (
    "(SELECT coalesce(s.trial_ends_at, s.ends_at) FROM subscriptions s"
    " WHERE s.workspace_id = m.workspace_id AND s.provider_id IS NULL AND s.terms_id IS NOT NULL)"
)
"""SQL: when the given plan ends that the workspace of the membership `m` is on; it then has the seats of the fallback plan."""

_ONLY: Final = 1
_ANY_VERSION: Final = 2**53 - 1


class Subscribed(NamedTuple):
    """What a workspace subscribes to; see `SubscriptionRow`. What is of its row is None where it never subscribed.

    `seats_left` is how many seats count while a change is in flight, if fewer, and `recurring_total_minor` what recurs as the
    provider told it for this version of the subscription. The last two are there for every workspace.
    """

    workspace_id: UUID
    created_at: datetime
    usage_anchor: datetime | None
    usage_anchored_at: datetime | None
    provider_id: str | None
    status: str | None
    terms_id: str | None
    interval: str | None
    seats: int | None
    add_ons: dict[str, int] | None
    started_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    ends_at: datetime | None
    trial_ends_at: datetime | None
    grace_ends_at: datetime | None
    pending: dict[str, Any] | None
    version: int | None
    seats_left: int | None
    recurring_total_minor: int | None
    workspace_version: int
    members: int


SUBSCRIBED: Final = KeyedRead[UUID, Subscribed](
    "subscribed",
    "SELECT w.id, w.created_at, w.usage_anchor, w.usage_anchored_at, s.provider_id, s.status, s.terms_id, s.interval, s.seats,"
    " s.add_ons, s.started_at,"
    " s.period_start, s.period_end, s.ends_at, s.trial_ends_at, s.grace_ends_at, s.pending, s.version, c.seats_left,"
    " u.recurring_total_minor, w.version AS workspace_version,"
    " (SELECT count(*) FROM memberships m WHERE m.workspace_id = w.id) AS members"
    " FROM workspaces w LEFT JOIN subscriptions s ON s.workspace_id = w.id"
    " LEFT JOIN subscription_changes c ON c.workspace_id = w.id AND c.state IN ('UNDER_WAY', 'AWAITING_PAYMENT', 'UNDOING')"
    " LEFT JOIN upcoming_invoices u ON u.workspace_id = w.id AND u.version = s.version"
    " WHERE w.id = ANY ($1::uuid[])",
    Subscribed,
    lambda subscribed: subscribed.workspace_id,
)
"""What workspaces subscribe to, by workspace."""


class KeptUpcomingInvoice(NamedTuple):
    """The next bill as it was told last; see `UpcomingInvoiceRow`."""

    workspace_id: UUID
    version: int | None
    asked_at: datetime | None
    invoice: dict[str, Any] | None
    recurring_total_minor: int | None
    tried_version: int | None
    tried_at: datetime | None
    claimed_until: datetime | None

    def is_claimed(self, real_now: datetime) -> bool:
        """Whether somebody is asking the provider at this time, which is the wall's."""
        return self.claimed_until is not None and self.claimed_until > real_now


UPCOMING_INVOICES: Final = KeyedRead[UUID, KeptUpcomingInvoice](
    "upcoming_invoices",
    "SELECT workspace_id, version, asked_at, invoice, recurring_total_minor, tried_version, tried_at, claimed_until"
    " FROM upcoming_invoices WHERE workspace_id = ANY ($1::uuid[])",
    KeptUpcomingInvoice,
    lambda kept: kept.workspace_id,
)
"""The next bills of workspaces as they were told last."""


def hint_changed(session: Session, workspace_id: UUID) -> None:
    """Tell open screens, once this unit is committed, that what is shown of a subscription has changed: the row, or the members.

    Two units may raise the two at the same time, and neither knows what version the other makes of it. So the hint names none: it
    has the subscription read again, whatever is known.
    """
    session.outbox.hint(TOPIC, workspace_id, workspace_id, _ANY_VERSION)


async def shown_changed(session: Session, workspace_ids: Collection[UUID]) -> None:
    """Raise the version of what is shown of these workspaces' subscriptions where it is not their row that changed, and tell it.

    The version that is shown counts both, the row's and the workspace's, whose row is locked from here to the end of the unit.
    """
    raised = update(WorkspaceRow).where(WorkspaceRow.id.in_(workspace_ids)).values(version=WorkspaceRow.version + 1)
    await session.execute(raised.execution_options(synchronize_session="evaluate"))
    for workspace_id in workspace_ids:
        hint_changed(session, workspace_id)


async def lock(session: Session, workspace_id: UUID) -> SubscriptionRow | None:
    """What a workspace subscribes to, locked until the unit ends; the billing account is locked before it."""
    found = select(SubscriptionRow).where(SubscriptionRow.workspace_id == workspace_id)
    return await session.scalar(found.with_for_update().execution_options(populate_existing=True))


async def find(session: Session, workspace_id: UUID) -> SubscriptionRow | None:
    """What a workspace subscribes to, or did; None where it never subscribed."""
    return await session.get(SubscriptionRow, workspace_id, populate_existing=True)


async def check_soon(session: Session, workspace_id: UUID) -> None:
    """Have the worker fetch a workspace's live subscription at once."""
    live = update(SubscriptionRow).where(
        SubscriptionRow.workspace_id == workspace_id, SubscriptionRow.provider_id.is_not(None)
    )
    await session.execute(live.values(next_check_at=session.now).execution_options(synchronize_session=False))


async def due(session: Session, *, unchecked_since: datetime, limit: int) -> Sequence[UUID]:
    """The workspaces whose subscription is to be fetched by now, the longest due first: it is due, or was not since a time."""
    due_now = SubscriptionRow.next_check_at <= session.now
    is_old = SubscriptionRow.provider_id.is_not(None) & (SubscriptionRow.checked_at <= unchecked_since)
    query = select(SubscriptionRow.workspace_id).where(due_now | is_old)
    return (await session.scalars(query.order_by(SubscriptionRow.checked_at).limit(limit))).all()


async def next_check_at(session: Session) -> datetime | None:
    """When something of a subscription falls due next; None when there is nothing."""
    return await session.scalar(select(func.min(SubscriptionRow.next_check_at)))


async def change_in_flight(session: Session, workspace_id: UUID) -> SubscriptionChangeRow | None:
    """The change of a workspace's subscription that is in flight, if any; the billing account is locked by who changes it."""
    query = select(SubscriptionChangeRow).where(
        SubscriptionChangeRow.workspace_id == workspace_id, SubscriptionChangeRow.state.in_(IN_FLIGHT)
    )
    return await session.scalar(query.execution_options(populate_existing=True))


async def change(session: Session, workspace_id: UUID, change_id: UUID) -> SubscriptionChangeRow | None:
    """A change of a workspace's subscription."""
    return await session.get(SubscriptionChangeRow, (workspace_id, change_id), populate_existing=True)


async def change_with_key(
    session: Session, workspace_id: UUID, mutation: str, idempotency_key: str
) -> SubscriptionChangeRow | None:
    """The change that a mutation began with this idempotency key."""
    query = select(SubscriptionChangeRow).where(
        SubscriptionChangeRow.workspace_id == workspace_id,
        SubscriptionChangeRow.mutation == mutation,
        SubscriptionChangeRow.idempotency_key == idempotency_key,
    )
    return await session.scalar(query.execution_options(populate_existing=True))


async def changes_due(session: Session, *, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """The changes, as (workspace, id), that are to be looked at by now, the longest due first."""
    query = (
        select(SubscriptionChangeRow.workspace_id, SubscriptionChangeRow.id)
        .where(SubscriptionChangeRow.next_check_at <= session.now)
        .order_by(SubscriptionChangeRow.next_check_at)
        .limit(limit)
    )
    return [(workspace_id, change_id) for workspace_id, change_id in await session.execute(query)]


async def next_change_check_at(session: Session) -> datetime | None:
    """When the next change is to be looked at; None when there is none."""
    return await session.scalar(select(func.min(SubscriptionChangeRow.next_check_at)))


async def forget_changes(session: Session, before: datetime) -> None:
    """Forget the changes that came to their end and were begun before a time, with their idempotency keys."""
    old = delete(SubscriptionChangeRow).where(
        SubscriptionChangeRow.created_at < before, SubscriptionChangeRow.state.not_in(IN_FLIGHT)
    )
    await session.execute(old.execution_options(synchronize_session=False))


async def first_notice(session: Session, workspace_id: UUID, reason: str) -> bool:
    """Note that the owners are told something for a reason; False where they were before."""
    put = insert(NoticeRow).values(workspace_id=workspace_id, reason=reason, created_at=session.now)
    made = await session.execute(put.on_conflict_do_nothing().returning(NoticeRow.reason))
    return made.one_or_none() is not None


async def keep_fallback_seats(session: Session, seats: int) -> None:
    """Let SQL know how many seats a workspace has that subscribes to nothing."""
    put = insert(FallbackPlanRow).values(id=_ONLY, seats=seats)
    await session.execute(
        put.on_conflict_do_update(index_elements=["id"], set_={"seats": seats}, where=FallbackPlanRow.seats != seats)
    )
