"""What the payment gateway takes and gives about subscriptions: plain values, and nothing of the provider's SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.payments.gateway_values import InvoiceLine, TaxLine


class SubscriptionStatus(StrEnum):
    """Where a subscription is in its life. In the last two it has ended, for good."""

    INCOMPLETE = "INCOMPLETE"
    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    UNPAID = "UNPAID"
    PAUSED = "PAUSED"
    CANCELED = "CANCELED"
    INCOMPLETE_EXPIRED = "INCOMPLETE_EXPIRED"


class EndReason(StrEnum):
    """Why a subscription ends or has ended."""

    REQUESTED = "REQUESTED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    DISPUTED = "DISPUTED"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class PricedQuantity:
    """So many of a recurring price, by the provider's id of it."""

    price_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    """A price that a subscription has, with its present period. `lookup_key` is None for a price that was made by hand.

    `interval` is `month` or `year` (or another one of the provider's) and `interval_count` how many of it are a period.
    """

    id: str
    price_id: str
    lookup_key: str | None
    quantity: int
    interval: str
    interval_count: int
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A change that waits for the payment of the subscription's latest invoice, and lapses at `expires_at`."""

    expires_at: datetime
    items: tuple[PricedQuantity, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProviderSubscription:
    """A subscription as it stands at the provider. `currency` is in upper case.

    `ends_at` is when it will end or, once it `has_ended`, when it did; None while it goes on. `ends_at_period_end` tells that it
    was set to end with its period, whenever that is; otherwise the time stands. `default_card_id` is its own card, which is charged
    before the customer's default. `latest_invoice_id` is also the invoice that a pending update waits for. `canceled_at` is when
    somebody asked for its end.
    """

    id: str
    customer_id: str
    status: SubscriptionStatus
    currency: str
    items: tuple[SubscriptionItem, ...]
    started_at: datetime
    ends_at: datetime | None
    ends_at_period_end: bool
    end_reason: EndReason | None
    schedule_id: str | None
    latest_invoice_id: str | None
    pending_update: PendingUpdate | None
    default_card_id: str | None
    tax_rate_ids: tuple[str, ...]
    is_collection_paused: bool
    has_discount: bool
    metadata: Mapping[str, str]
    canceled_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, for good."""
        return self.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What becomes of an item: `item_id` None adds one, `quantity` 0 removes the item."""

    item_id: str | None
    price_id: str
    quantity: int


class SetEndKind(StrEnum):
    """How an end was set: with the period, whenever that ends, or as a time."""

    WITH_PERIOD = "WITH_PERIOD"
    AT_TIME = "AT_TIME"


class ChangeBilling(StrEnum):
    """When the rest of the period is billed for what changed: at once, or not at all (the renewal bills the new items)."""

    AT_ONCE = "AT_ONCE"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """A change of items, the same for its preview and for making it. Items that are not named stay as they are.

    `prorated_at` is the moment from which the rest of the period counts, to the second: the same for preview and change makes the
    same amounts. The provider refuses it together with `restarts_period`, which begins a full period now. A preview leaves out the
    end that is set as `taken_back_end` says; before a change it must have been taken back, since nothing is billed beyond an end.
    """

    items: tuple[ItemChange, ...]
    billing: ChangeBilling
    prorated_at: datetime | None = None
    restarts_period: bool = False
    taken_back_end: SetEndKind | None = None


@dataclass(frozen=True, slots=True)
class InvoicePreview:
    """An invoice as the provider would make it; nothing of it exists. Amounts are in the smallest unit of `currency` (upper case).

    `total_minor` below zero would become credit. `due_minor` is what would be charged, after credit; `credit_applied_minor` is what
    credit pays of the total. `charged_at` is when it would be charged, if that is known. `others_minor` is what of the total is for
    items of the customer that wait for whichever invoice comes next, tax included: they are of no subscription.
    """

    currency: str
    lines: tuple[InvoiceLine, ...]
    tax_lines: tuple[TaxLine, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    due_minor: int
    charged_at: datetime | None
    others_minor: int = 0


class PhaseLength(StrEnum):
    """How long a phase lasts that has no end of its own."""

    MONTH = "MONTH"
    YEAR = "YEAR"


@dataclass(frozen=True, slots=True)
class SchedulePhase:
    """What a subscription is during a time, all of it: what is not said is not kept from before.

    The current phase has its unchanged `starts_at`, any other begins where the one before it ends. `ends_at` is a time, or how long
    it lasts. With `restarts_period` its start begins a new period: needed where the interval changes. `metadata` joins the
    subscription's when the phase begins; `card_id` is the subscription's own card, if it has one.
    """

    items: tuple[PricedQuantity, ...]
    ends_at: datetime | PhaseLength
    starts_at: datetime | None = None
    restarts_period: bool = False
    tax_rate_ids: tuple[str, ...] = ()
    card_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Schedule:
    """A subscription's schedule. Once it is not active any more, `subscription_id` is None and it changes nothing.

    `phases` are all of them, past ones first; `phase_started_at` tells the current one, None where there is none.
    """

    id: str
    subscription_id: str | None
    is_active: bool
    phases: tuple[SchedulePhase, ...]
    phase_started_at: datetime | None
