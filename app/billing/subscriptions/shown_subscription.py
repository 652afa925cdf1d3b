"""What is shown of a workspace's subscription, or of its being on the fallback plan without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.billing.allowances.usage_periods import usage_period
from app.billing.subscriptions.given_plans import as_of
from app.billing.subscriptions.given_until import is_given
from app.billing.subscriptions.kept_terms import find_terms
from app.billing.subscriptions.pending_changes import (
    PendingChange,
    PendingChangeKind,
    pending_from_json,
    pending_terms_id,
)
from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.billing.subscriptions.seats import Seats, seats_counted
from app.billing.subscriptions.workspace_plan import known_terms, terms_of_subscribed
from app.catalog import BillingInterval, Catalog, PlanKind
from app.db.reads import Reads
from app.db.tables.subscriptions import SubscriptionState
from app.errors import NotFound
from app.store import subscriptions as subscription_store
from app.store.subscriptions import Subscribed

_SAME_MOMENT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSubscription:
    """A subscription as it stands.

    `choice` is what the workspace has: on the fallback plan nothing of it is billed. `period` is (start, end). `ends_at` is when
    the subscription ends, None while it goes on. `recurring_total_minor` is what recurs, tax included, in the smallest unit of the
    currency, None where the provider has not told it for this version. `version` rises with every change of what is here, but for
    what passes with the time.
    """

    workspace_id: UUID
    choice: PlanChoice
    status: SubscriptionState
    seats: Seats
    period: tuple[datetime, datetime]
    renews_at: datetime | None
    trial_ends_at: datetime | None
    grace_ends_at: datetime | None
    ends_at: datetime | None
    pending: PendingChange | None
    recurring_total_minor: int | None
    version: int


async def shown_subscription(reads: Reads, catalog: Catalog, workspace_id: UUID) -> ShownSubscription:
    """What is shown of a workspace's subscription, all of it of one moment. Raises `NotFound` where there is no such workspace."""
    subscribed = await reads.one_of(subscription_store.SUBSCRIBED, workspace_id)
    if subscribed is None:
        raise NotFound
    subscribed = as_of(subscribed, reads.now)
    is_live = subscribed.terms_id is not None
    choice = await _choice(reads, catalog, subscribed)
    return ShownSubscription(
        workspace_id=workspace_id,
        choice=choice,
        status=SubscriptionState(subscribed.status) if subscribed.status is not None else SubscriptionState.ACTIVE,
        seats=Seats(choice.seats, subscribed.members, _seats_counted(catalog, choice, subscribed)),
        period=_period(subscribed, reads.now),
        renews_at=subscribed.period_end if is_live and not _ends_with_period(subscribed) else None,
        trial_ends_at=subscribed.trial_ends_at,
        grace_ends_at=subscribed.grace_ends_at if is_live else None,
        ends_at=subscribed.ends_at if is_live else None,
        pending=await _pending(reads, catalog, subscribed) if is_live else None,
        recurring_total_minor=subscribed.recurring_total_minor if is_live else None,
        # of two counters that only rise, so that this does too: the row's, and the workspace's, which counts who comes and goes
        version=(subscribed.version or 0) + subscribed.workspace_version,
    )


def _ends_with_period(subscribed: Subscribed) -> bool:
    """Whether nothing renews; a contract may end in a later period."""
    ends_at, period_end = subscribed.ends_at, subscribed.period_end
    return ends_at is not None and (period_end is None or ends_at <= period_end + _SAME_MOMENT)


def _seats_counted(catalog: Catalog, choice: PlanChoice, subscribed: Subscribed) -> int:
    fallback_seats = catalog.fallback_plan.seats.included
    return seats_counted(
        choice.seats,
        subscribed.pending,
        subscribed.seats_left,
        fallback_seats=fallback_seats,
        is_contract=choice.terms.plan.kind is PlanKind.ENTERPRISE,
    )


async def _choice(reads: Reads, catalog: Catalog, subscribed: Subscribed) -> PlanChoice:
    terms = await terms_of_subscribed(reads, catalog, subscribed)
    if subscribed.terms_id is None or subscribed.seats is None:
        return PlanChoice(terms, None, terms.plan.seats.included)
    interval = BillingInterval(subscribed.interval) if subscribed.interval is not None else None
    return PlanChoice(terms, interval, subscribed.seats, add_on_quantities(subscribed.add_ons or {}))


async def _pending(reads: Reads, catalog: Catalog, subscribed: Subscribed) -> PendingChange | None:
    if is_given(subscribed) and subscribed.ends_at is not None:
        # not kept as pending: until that day as many may join as there are seats
        return PendingChange(kind=PendingChangeKind.CANCELLATION, choice=None, effective_at=subscribed.ends_at)
    kept = subscribed.pending
    if kept is None:
        return None
    terms_id = pending_terms_id(kept)
    if terms_id is None:
        return pending_from_json(kept, None)
    return pending_from_json(kept, known_terms(catalog, terms_id, await find_terms(reads, catalog, terms_id)))


def _period(subscribed: Subscribed, now: datetime) -> tuple[datetime, datetime]:
    """The period that is paid for; without one that in which usage is counted."""
    if subscribed.terms_id is not None and subscribed.period_start is not None and subscribed.period_end is not None:
        return subscribed.period_start, subscribed.period_end
    start, end = usage_period(subscribed, now)
    return start, end
