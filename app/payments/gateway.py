"""The payment gateway as the product sees it: values in, values out, and nothing of the provider's SDK.

Every call that makes or moves something takes the idempotency key of its step, so that sending it twice does it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from app.money import Money


class GatewayUnavailable(Exception):
    """The provider did not answer, or answered that it can't right now. What was asked may or may not have happened."""


class GatewayRefused(Exception):
    """The provider refused the request as it stands; asking again changes nothing."""


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
    """A card on file, as the provider describes it; `id` is the provider's."""

    id: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None


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
    """A line of an invoice; amounts in the currency's smallest unit."""

    description: str
    quantity: int | None
    unit_amount_minor: int | None
    amount_minor: int
    price_id: str | None
    period_start: datetime | None
    period_end: datetime | None
    is_proration: bool


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax at one rate on an invoice; `percent` is null where the provider does not say."""

    name: str
    percent: Decimal | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ProviderInvoice:
    """An invoice as it stands at the provider. Amounts are in the smallest unit of `currency` (upper case)."""

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
    credit_applied_minor: int
    lines: tuple[InvoiceLine, ...]
    tax_lines: tuple[TaxLine, ...]
    hosted_url: str | None
    pdf_url: str | None
    purchase_id: str | None
    attempt: PaymentAttempt


@dataclass(frozen=True, slots=True)
class Charge:
    """What to put on an invoice: one line, its tax rates by the provider's ids, and whether `price` includes the tax."""

    description: str
    price: Money
    product_id: str
    price_id: str | None
    tax_rate_ids: tuple[str, ...]
    price_includes_tax: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A thing that is sold, under an id of our own making."""

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
class ProviderEvent:
    """Something that happened at the provider; the object it is about is fetched afresh, so that order does not matter."""

    id: str
    type: str
    created_at: datetime
    object_id: str
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """An address the provider reports events to; `secret` is told only when it is made."""

    id: str
    url: str
    secret: str | None


class Gateway(Protocol):
    """The calls the product makes. Each may raise `GatewayUnavailable` or `GatewayRefused`."""

    async def create_customer(self, *, workspace_id: str, name: str, email: str | None, key: str) -> str:
        """Make a customer and return its id."""
        ...

    async def create_setup_intent(self, customer_id: str, *, key: str) -> str:
        """Begin to save a card; returns the client secret that the browser or app confirms it with."""
        ...

    async def wallet(self, customer_id: str) -> Wallet:
        """The customer's cards and default."""
        ...

    async def set_default_card(self, customer_id: str, card_id: str) -> None:
        """Charge this card by default."""
        ...

    async def detach_card(self, card_id: str) -> None:
        """Forget a card; one already forgotten is fine."""
        ...

    async def create_invoice(self, customer_id: str, *, currency: str, metadata: Mapping[str, str], key: str) -> str:
        """Make an empty draft invoice that nothing advances by itself, and return its id."""
        ...

    async def add_charge(self, customer_id: str, invoice_id: str, charge: Charge, *, key: str) -> None:
        """Put one line on a draft invoice."""
        ...

    async def finalize_invoice(self, invoice_id: str, *, key: str) -> ProviderInvoice:
        """Number the invoice and open it for payment, without charging anything."""
        ...

    async def pay_invoice(self, invoice_id: str, *, card_id: str, off_session: bool, key: str) -> ProviderInvoice:
        """Charge the card for an open invoice; a decline or a wanted confirmation shows in the returned `attempt`."""
        ...

    async def discard_invoice(self, invoice_id: str) -> ProviderInvoice | None:
        """Delete a draft (None) or void an open invoice, so that nothing can pay it any more.

        Raises `GatewayRefused` when it is paid, or a payment of it is being processed.
        """
        ...

    async def invoice(self, invoice_id: str) -> ProviderInvoice | None:
        """An invoice as it stands now; None when there is none (a deleted draft)."""
        ...

    async def find_invoices(self, customer_id: str, *, purchase_id: str) -> Sequence[ProviderInvoice]:
        """The customer's invoices made for a purchase, by listing: search at the provider lags behind."""
        ...

    async def invoice_of_payment(self, payment_id: str) -> str | None:
        """The id of the invoice that a payment pays, if it pays one."""
        ...

    async def ensure_product(self, product: Product) -> None:
        """Make the product, or rename it."""
        ...

    async def ensure_price(self, price: Price) -> str:
        """The id of the price with this lookup key, made if there is none yet."""
        ...

    async def ensure_tax_rate(self, rate: TaxRate) -> str:
        """The id of the tax rate with this key, made if there is none yet."""
        ...

    async def webhook_endpoints(self) -> Sequence[WebhookEndpoint]:
        """The endpoints there are, without their secrets."""
        ...

    async def create_webhook_endpoint(self, url: str, event_types: Sequence[str]) -> WebhookEndpoint:
        """Have events of these types reported to `url`; the answer carries the secret."""
        ...

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        """Report to this endpoint no more."""
        ...

    async def events_after(self, event_id: str | None, *, event_types: Sequence[str]) -> Sequence[ProviderEvent]:
        """The events after one (or the newest ones there are, without), oldest first, a page at most."""
        ...
