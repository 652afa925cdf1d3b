"""What the payment gateway takes and gives: plain values, and nothing of the provider's SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from app.money import Money


class InvoiceStatus(StrEnum):
    """Where an invoice is in its life."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    PAID = "PAID"
    VOID = "VOID"
    UNCOLLECTIBLE = "UNCOLLECTIBLE"


class PaymentStatus(StrEnum):
    """What has become of the attempt to pay an invoice."""

    NOT_ATTEMPTED = "NOT_ATTEMPTED"
    PROCESSING = "PROCESSING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    DECLINED = "DECLINED"
    SUCCEEDED = "SUCCEEDED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Card:
    """A card on file, as the provider describes it; `id` is the provider's.

    `fingerprint` is the same for each saving of one card number; None where the provider does not tell it.
    """

    id: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """Whom a customer's invoices are made out to, as the provider has it."""

    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Wallet:
    """The cards of a customer, oldest first, and which one is charged by default."""

    cards: tuple[Card, ...]
    default_card_id: str | None


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """The newest attempt to pay an invoice.

    `client_secret` confirms it on the client, `action_url` is the issuer's page for clients without an SDK; `decline_code` and
    `decline_message` say why it failed.
    """

    id: str | None
    status: PaymentStatus
    client_secret: str | None = None
    action_url: str | None = None
    decline_code: str | None = None
    decline_message: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of an invoice; amounts in the currency's smallest unit, after discounts.

    `metadata` is the line's own, of one that bills a subscription's item that of the subscription.
    """

    description: str
    quantity: int | None
    unit_amount_minor: int | None
    amount_minor: int
    price_id: str | None
    period_start: datetime | None
    period_end: datetime | None
    is_proration: bool
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax at one rate on an invoice; `percent` is null where the provider does not say."""

    name: str
    percent: Decimal | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ProviderInvoice:
    """An invoice as it stands at the provider. Amounts are in the smallest unit of `currency` (upper case).

    `is_paid_elsewhere`: the seller marked it as paid though no card was charged, since the money came another way.
    `subtotal_minor` is the sum of the lines. `credited_minor` is what credit notes gave back of it after it was paid,
    by whatever way. `subscription_id` is the subscription that it bills, if it bills one,
    `subscription_metadata` that subscription's as it was when the invoice was made.
    """

    id: str
    customer_id: str
    number: str | None
    status: InvoiceStatus
    currency: str
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    is_paid_elsewhere: bool
    credit_applied_minor: int
    lines: tuple[InvoiceLine, ...]
    tax_lines: tuple[TaxLine, ...]
    hosted_url: str | None
    pdf_url: str | None
    purchase_id: str | None
    attempt: PaymentAttempt
    created_at: datetime
    subscription_id: str | None
    subscription_metadata: Mapping[str, str]
    credited_minor: int = 0


@dataclass(frozen=True, slots=True)
class Charge:
    """What to put on an invoice: one line, its tax rates by the provider's ids, and whether `price` includes the tax."""

    description: str
    price: Money
    product_id: str
    price_id: str | None
    tax_rate_ids: tuple[str, ...]
    price_includes_tax: bool


class RefundStatus(StrEnum):
    """Where a refund is: money counts as returned only once it has SUCCEEDED, and no longer when it has FAILED after that."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund of a payment; `refund_id` is our id of it, None for one that was made at the provider."""

    id: str
    amount_minor: int
    status: RefundStatus
    refund_id: str | None
    failure: str | None


class DisputeStatus(StrEnum):
    """Where a dispute is. An INQUIRY has taken nothing; an OPEN or LOST one has; a WON one has given it back."""

    INQUIRY = "INQUIRY"
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """A payment that the cardholder takes back at the bank, in full or in part."""

    id: str
    amount_minor: int
    status: DisputeStatus


@dataclass(frozen=True, slots=True)
class InvoicePayment:
    """A payment by card of an invoice: how much of it can still be refunded, and whether its cardholder disputes it.

    `left_minor` is in the smallest unit of the invoice's currency.
    """

    id: str
    left_minor: int
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class ReturnedMoney:
    """How much of what an invoice charged has gone back to the card by now.

    `payment_id` is the payment that has most left to be refunded, `left_minor` how much that is: refunds that are pending don't
    leave it to be refunded again. Amounts are in the currency's smallest unit.
    """

    payment_id: str
    left_minor: int
    refunds: tuple[ProviderRefund, ...]
    disputes: tuple[ProviderDispute, ...]

    @property
    def refunded_minor(self) -> int:
        """What refunds have returned."""
        return sum(refund.amount_minor for refund in self.refunds if refund.status is RefundStatus.SUCCEEDED)

    @property
    def disputed_minor(self) -> int:
        """What disputes have taken and not given back."""
        taking = (DisputeStatus.OPEN, DisputeStatus.LOST)
        return sum(dispute.amount_minor for dispute in self.disputes if dispute.status in taking)

    @property
    def lost_minor(self) -> int:
        """The part of what disputes have taken that will never come back."""
        return sum(dispute.amount_minor for dispute in self.disputes if dispute.status is DisputeStatus.LOST)


class ReturnedMoneyEvent(StrEnum):
    """What kind of object tells of a return."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


@dataclass(frozen=True, slots=True)
class Product:
    """A thing that is sold, under an id of our own making, or the one that took its place."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Price:
    """A price of a product, found again by its lookup key; `interval` is None for a one-time price, else `month` or `year`."""

    lookup_key: str
    product_id: str
    amount: Money
    includes_tax: bool
    interval: str | None


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A fixed tax rate, found again by its key."""

    key: str
    name: str
    percent: Decimal
    inclusive: bool
    country: str | None


@dataclass(frozen=True, slots=True)
class SyncedObjects:
    """What a sync found or made: the provider's ids by our keys, and in a few words each what had to be written for it."""

    ids: Mapping[str, str]
    written: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something that happened at the provider; the object it is about is fetched afresh, so that order does not matter."""

    id: str
    type: str
    created_at: datetime
    object_id: str
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class EventEndpoint:
    """An address that the provider reports events of `event_types` to, unless it was disabled.

    `secret` is None except in the answer to making it.
    """

    id: str
    url: str
    secret: str | None
    event_types: frozenset[str]
    is_enabled: bool


class CheckoutStatus(StrEnum):
    """Where a hosted page is: still open to the customer, used, or closed unused."""

    OPEN = "OPEN"
    COMPLETE = "COMPLETE"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class ReturnUrls:
    """Where a hosted page leads to when it is done, and when it is left."""

    success: str
    cancel: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A hosted page of the provider's. `url` is None once it is closed; `total_minor` is what it charges, tax included.

    `invoice_id` is the paid invoice and `subscription_id` what a page started, once there is one.
    """

    id: str
    customer_id: str | None
    status: CheckoutStatus
    url: str | None
    total_minor: int | None
    invoice_id: str | None
    purchase_id: str | None
    subscription_id: str | None


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HistoryPage(Generic[T]):
    """A page of a list, the newest first. `next_after` is what the next page begins after; None: this is the last one."""

    found: tuple[T, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class PastCharge:
    """A charge of a card: the payment it belongs to, and whether any of it was refunded or disputed."""

    payment_id: str | None
    has_returned_money: bool
