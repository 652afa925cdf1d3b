"""Subscriptions: the plan that a workspace is on, its seats, and what is decided for later."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from app.billing.subscriptions import pending_changes, seats
from app.billing.subscriptions.pending_changes import PendingChangeKind
from app.billing.subscriptions.plan_choice import PlanChoice, recurring_price
from app.billing.subscriptions.shown_subscription import ShownSubscription
from app.billing.subscriptions.workspace_plan import fallback_terms
from app.catalog import BillingInterval, PlanTerms
from app.db.tables.subscriptions import SubscriptionState
from app.ids import GlobalId
from resolvers import subscriptions
from resolvers.context import Info
from schema.catalog import AddOn, Plan
from schema.enums import described
from schema.invoices import Invoice
from schema.money import Money, Period
from schema.node_interface import Node
from schema.scalars import BigInt

described(
    SubscriptionState,
    "Where a subscription is. A workspace that subscribes to nothing is on the fallback plan.",
    {
        SubscriptionState.TRIALING: "In a free trial, until trialEndsAt.",
        SubscriptionState.ACTIVE: "Paid, given by the seller, or on the fallback plan: never on another, or moved to it at once.",
        SubscriptionState.PAST_DUE: "A renewal was not paid. Everything stays until graceEndsAt.",
        SubscriptionState.INCOMPLETE: "The first payment is not through.",
        SubscriptionState.CANCELED: (
            "A subscription, a trial, or a plan that the seller gave has ended, and the workspace is on the fallback plan."
        ),
    },
    name="SubscriptionStatus",
)
described(
    PendingChangeKind,
    "What waits.",
    {
        PendingChangeKind.DOWNGRADE: "Less from the period's end on: a lower plan, fewer seats or add-ons, another interval.",
        PendingChangeKind.CANCELLATION: "The end, at the period's end; then the fallback plan.",
        PendingChangeKind.AWAITING_PAYMENT: "An upgrade, until its invoice is paid; unpaid, it lapses at expiresAt.",
    },
)


@strawberry.type(
    description=(
        "The seats of a workspace. Each member holds one, and accepting an invitation takes one. Where there are fewer than "
        "members, as after falling to a plan with fewer, everybody stays: the owners hold a seat first, then who joined first."
    )
)
class Seats:
    total: int = strawberry.field(description="How many there are.")
    used: int = strawberry.field(description="How many the members hold; never more than there are.")
    available: int = strawberry.field(
        description=(
            "How many more people can join; never below zero. Where fewer seats are decided for later, those count, and while an "
            "upgrade is under way those that are paid."
        )
    )

    @classmethod
    def of(cls, held: seats.Seats) -> Self:
        """The API's view of a workspace's seats."""
        return cls(total=held.total, used=held.used, available=held.available)


@strawberry.type(description="How many of an extra a workspace has.")
class SubscriptionAddOn:
    add_on: AddOn = strawberry.field(description="The extra, at the price that is paid for it.")
    quantity: int = strawberry.field(description="How many.")


@strawberry.type(description="A change that is decided and takes effect later. It can be taken back until then.")
class PendingChange:
    workspace_id: strawberry.Private[UUID]
    pending: strawberry.Private[pending_changes.PendingChange]
    sees_billing: strawberry.Private[bool]
    kind: PendingChangeKind = strawberry.field(description="What waits.")
    interval: BillingInterval | None = strawberry.field(
        description="How often the plan is billed then; null for a plan without a recurring price."
    )
    effective_at: datetime | None = strawberry.field(
        description="When it takes effect; null while it awaits its payment, as it does so once that is through."
    )
    expires_at: datetime | None = strawberry.field(
        description=(
            "When an upgrade lapses that is not paid. Null for other changes and, without an error, for those without VIEW_BILLING."
        )
    )

    @strawberry.field(description="The plan there is then.")
    def plan(self, info: Info) -> Plan:
        return Plan.of(self._terms(info), info.context.runtime.catalog)

    @strawberry.field(description="How many seats there are then.")
    def seats(self, info: Info) -> int | None:
        choice = self.pending.choice
        return choice.seats if choice is not None else self._terms(info).plan.seats.included

    @strawberry.field(description="The extras there are then.")
    def add_ons(self) -> list[SubscriptionAddOn]:
        return _add_ons(self.pending.choice)

    @strawberry.field(
        description=(
            "What it costs then per interval, before tax where tax comes on top; null for a plan without a recurring price and, "
            "without an error, for those without VIEW_BILLING."
        )
    )
    def recurring_price(self, info: Info) -> Money | None:
        return _recurring_price(self.pending.choice, info) if self.sees_billing else None

    @strawberry.field(
        description=(
            "The invoice that an upgrade waits for. Null for other changes and, without an error, for those without VIEW_BILLING."
        )
    )
    async def invoice(self, info: Info) -> Invoice | None:
        if self.pending.invoice_id is None or not self.sees_billing:
            return None
        found = await subscriptions.invoice_waited_for(info.context, self.workspace_id, self.pending.invoice_id)
        return Invoice.of(found) if found is not None else None

    def _terms(self, info: Info) -> PlanTerms:
        choice = self.pending.choice
        return choice.terms if choice is not None else fallback_terms(info.context.runtime.catalog)

    @classmethod
    def of(cls, pending: pending_changes.PendingChange, workspace_id: UUID, *, sees_billing: bool) -> Self:
        """The API's view of a change that is decided for later."""
        return cls(
            workspace_id=workspace_id,
            pending=pending,
            sees_billing=sees_billing,
            kind=pending.kind,
            interval=pending.choice.interval if pending.choice is not None else None,
            effective_at=pending.effective_at,
            expires_at=pending.expires_at if sees_billing else None,
        )


@strawberry.type(
    description=(
        "What a workspace is on, for all who belong to it; prices, invoices and what is overdue are for those with VIEW_BILLING."
    )
)
class Subscription(Node):
    shown: strawberry.Private[ShownSubscription]
    sees_billing: strawberry.Private[bool]
    status: SubscriptionState = strawberry.field(description="Where it is.")
    interval: BillingInterval | None = strawberry.field(
        description="How often it is billed; null for plans without a recurring price, in a trial, and for one that was given."
    )
    renews_at: datetime | None = strawberry.field(description="When it renews; null when nothing will renew.")
    trial_ends_at: datetime | None = strawberry.field(
        description="When the free trial ends, by itself; null without one."
    )
    grace_ends_at: datetime | None = strawberry.field(
        description=(
            "Set while past due: when access ends unless the overdue invoice is paid. Null, without an error, for those without "
            "VIEW_BILLING."
        )
    )
    cancel_at_period_end: bool = strawberry.field(
        description=(
            "Whether it is set to end, by whom ever: here, on Stripe's portal, in its dashboard, or by the seller who gave it."
        )
    )
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change, its members' included: keep the highest you have seen."
    )

    @strawberry.field(description="The plan it is on, on the terms that were bought.")
    def plan(self, info: Info) -> Plan:
        return Plan.of(self.shown.choice.terms, info.context.runtime.catalog)

    @strawberry.field(description="The seats it has.")
    def seats(self) -> Seats:
        return Seats.of(self.shown.seats)

    @strawberry.field(description="The extras it has.")
    def add_ons(self) -> list[SubscriptionAddOn]:
        return _add_ons(self.shown.choice)

    @strawberry.field(
        description=(
            "The period that is paid for; where nothing is billed, the one in which usage is counted: a month, from the day on "
            "which the first subscription began or, without one, the workspace."
        )
    )
    def current_period(self) -> Period:
        start, end = self.shown.period
        return Period(start=start, end=end)

    @strawberry.field(
        description=(
            "What is decided and takes effect later: a downgrade, fewer seats, the end. While an upgrade awaits its payment it "
            "stands here; an older pending change comes back if that payment lapses."
        )
    )
    def pending_change(self) -> PendingChange | None:
        pending = self.shown.pending
        if pending is None:
            return None
        return PendingChange.of(pending, self.shown.workspace_id, sees_billing=self.sees_billing)

    @strawberry.field(
        description=(
            "What it costs per interval, before tax where tax comes on top; null for plans without a recurring price and, without "
            "an error, for those without VIEW_BILLING."
        )
    )
    def recurring_price(self, info: Info) -> Money | None:
        return _recurring_price(self.shown.choice, info) if self.sees_billing else None

    @strawberry.field(
        description=(
            "What it costs per interval, tax included, as Stripe told it last; null until it has, where nothing recurs and, "
            "without an error, for those without VIEW_BILLING."
        )
    )
    def recurring_total(self, info: Info) -> Money | None:
        minor = self.shown.recurring_total_minor
        if minor is None or not self.sees_billing:
            return None
        return Money.minor(minor, info.context.runtime.catalog.currency)

    @classmethod
    def of(cls, shown: ShownSubscription, *, sees_billing: bool) -> Self:
        """The API's view of a subscription, for those who see the workspace's billing or for those who don't."""
        return cls(
            shown=shown,
            sees_billing=sees_billing,
            id=strawberry.ID(str(GlobalId("Subscription", shown.workspace_id))),
            status=shown.status,
            interval=shown.choice.interval,
            renews_at=shown.renews_at,
            trial_ends_at=shown.trial_ends_at,
            grace_ends_at=shown.grace_ends_at if sees_billing else None,
            cancel_at_period_end=shown.ends_at is not None,
            version=BigInt(shown.version),
        )


def _add_ons(choice: PlanChoice | None) -> list[SubscriptionAddOn]:
    if choice is None:
        return []
    found = [(choice.terms.plan.add_on(each.code), each.quantity) for each in choice.add_ons]
    return [SubscriptionAddOn(add_on=AddOn.of(each), quantity=quantity) for each, quantity in found if each is not None]


def _recurring_price(choice: PlanChoice | None, info: Info) -> Money | None:
    price = recurring_price(choice, info.context.runtime.catalog.currency) if choice is not None else None
    return Money.of(price) if price is not None else None
