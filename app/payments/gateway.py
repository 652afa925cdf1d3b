"""The payment gateway as the product sees it: values in, values out, and nothing of the provider's SDK.

Every call that makes or moves something takes the idempotency key of its step, so that sending it twice does it once. Each may
raise `GatewayUnavailable` or `GatewayRefused`; the latter as `GatewayMissing` where an object that the request names is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.payments.gateway_values import (
    Charge,
    Checkout,
    CustomerDetails,
    EventEndpoint,
    HistoryPage,
    InvoicePayment,
    PastCharge,
    Price,
    Product,
    ProviderEvent,
    ProviderInvoice,
    ProviderRefund,
    ReturnedMoney,
    ReturnedMoneyEvent,
    ReturnUrls,
    SyncedObjects,
    TaxRate,
    Wallet,
)
from app.payments.subscription_gateway import (
    PortalGateway,
    PreviewGateway,
    ScheduleGateway,
    SubscriptionGateway,
    TaxGateway,
)


class CustomerGateway(Protocol):
    """Customers and their cards."""

    async def create_customer(self, *, workspace_id: str, key: str) -> str:
        """Make a customer that carries nothing but the workspace's id, and return its id."""
        ...

    async def update_customer(self, customer_id: str, *, name: str, email: str | None) -> None:
        """Let a customer carry this name and address, or none; an address that the provider does not take is left out."""
        ...

    async def delete_customer(self, customer_id: str) -> None:
        """Forget a customer and their cards, and cancel what they subscribe to; one already forgotten is fine."""
        ...

    async def create_setup_intent(self, customer_id: str, *, key: str) -> str:
        """Begin to save a card; returns the client secret that the browser or app confirms it with."""
        ...

    async def customer_details(self, customer_id: str) -> CustomerDetails:
        """Whom the customer's invoices are made out to; raises `GatewayMissing` for a customer that was deleted."""
        ...

    async def wallet(self, customer_id: str) -> Wallet:
        """The customer's cards and default; raises `GatewayMissing` for a customer that was deleted."""
        ...

    async def set_default_card(self, customer_id: str, card_id: str) -> None:
        """Charge this card by default."""
        ...

    async def detach_card(self, card_id: str) -> None:
        """Forget a card; one already forgotten is fine."""
        ...


class InvoiceGateway(Protocol):
    """Invoices and paying them."""

    async def create_invoice(self, customer_id: str, *, currency: str, metadata: Mapping[str, str], key: str) -> str:
        """Make an empty draft invoice that nothing advances by itself, and return its id."""
        ...

    async def add_charge(self, customer_id: str, invoice_id: str, charge: Charge, *, key: str) -> None:
        """Put one line on a draft invoice."""
        ...

    async def finalize_invoice(self, invoice_id: str, *, key: str) -> ProviderInvoice:
        """Number the invoice and open it for payment, without charging anything now or later by itself.

        One with nothing due is paid by that. A renewal's draft, which the provider charges after an hour, is not charged any more.
        """
        ...

    async def pay_invoice(self, invoice_id: str, *, card_id: str, off_session: bool, key: str) -> ProviderInvoice:
        """Charge the card for an open invoice; a decline or a wanted confirmation shows in the returned `attempt`.

        A draft is numbered and opened first.
        """
        ...

    async def discard_invoice(self, invoice_id: str) -> ProviderInvoice | None:
        """Delete a draft (None) or void an open invoice, so that nothing can pay it any more.

        The draft of a subscription can't be deleted: it is numbered and voided, or paid by that where nothing is due.
        Raises `GatewayRefused` when it is paid, or a payment of it is being processed.
        """
        ...

    async def invoice(self, invoice_id: str) -> ProviderInvoice | None:
        """An invoice as it stands now; None when there is none (a deleted draft)."""
        ...

    async def find_invoices(self, customer_id: str, *, purchase_id: str) -> Sequence[ProviderInvoice]:
        """The customer's invoices made for a purchase, by listing: search at the provider lags behind."""
        ...

    async def subscription_invoices(self, subscription_id: str) -> Sequence[ProviderInvoice]:
        """All invoices of a subscription, drafts too, newest first, by listing. The `attempt` of a paid or void one has no id."""
        ...

    async def invoice_of_payment(self, payment_id: str) -> str | None:
        """The id of the invoice that a payment pays, if it pays one."""
        ...

    async def invoice_page(self, customer_id: str, *, after: str | None, most: int) -> HistoryPage[ProviderInvoice]:
        """A page of the customer's invoices, drafts too, the newest first, after one of them by its id.

        The `attempt` of a paid or void one has no id. Raises `GatewayMissing` where the one that it begins after is gone.
        """
        ...

    async def charge_page(self, customer_id: str, *, after: str | None, most: int) -> HistoryPage[PastCharge]:
        """A page of what the customer's cards were charged, the newest first, after one by its id."""
        ...


class CheckoutGateway(Protocol):
    """Hosted pages for those without a card on file, or without the provider's SDK."""

    async def open_payment_page(
        self,
        customer_id: str,
        charge: Charge,
        *,
        urls: ReturnUrls,
        metadata: Mapping[str, str],
        expires_at: datetime,
        key: str,
    ) -> Checkout:
        """A page that charges a card, saves it, and makes a paid invoice with this metadata."""
        ...

    async def open_card_page(self, customer_id: str, *, urls: ReturnUrls, expires_at: datetime, key: str) -> Checkout:
        """A page that saves a card."""
        ...

    async def checkout(self, checkout_id: str) -> Checkout:
        """A page as it stands now; one that is not there any more is expired."""
        ...

    async def expire_checkout(self, checkout_id: str) -> Checkout:
        """Close a page, if it is still open; the answer tells whether it was used before."""
        ...

    async def find_checkouts(self, customer_id: str, *, purchase_id: str) -> Sequence[Checkout]:
        """The customer's pages made for a purchase, by listing."""
        ...


class RefundGateway(Protocol):
    """Money going back: refunds, and disputes that cardholders open at their bank."""

    async def refund(
        self, payment_id: str, *, amount_minor: int, metadata: Mapping[str, str], key: str
    ) -> ProviderRefund:
        """Return part or all of a payment to the card; raises `GatewayRefused` with the provider's words for more than is left."""
        ...

    async def payments_of_invoice(self, invoice_id: str) -> Sequence[InvoicePayment]:
        """The payments by card of an invoice with what is left of each; none where the money came another way."""
        ...

    async def credited_otherwise(self, invoice_id: str) -> int:
        """What credit notes gave back of a paid invoice without a refund: as the customer's credit, or outside the provider."""
        ...

    async def refunds_of_payment(self, payment_id: str) -> Sequence[ProviderRefund]:
        """The refunds of a payment, by listing, whoever made them."""
        ...

    async def returned_money(self, invoice_id: str) -> ReturnedMoney | None:
        """What of an invoice's payment has gone back by now; None when no card was charged for it."""
        ...

    async def returned_payment(self, report: ReturnedMoneyEvent, object_id: str) -> str | None:
        """The id of the payment that a charge, a refund or a dispute is of."""
        ...


class CatalogGateway(Protocol):
    """What is sold, as the provider must know it."""

    async def ensure_products(self, products: Sequence[Product]) -> SyncedObjects:
        """Make the products that are missing, and bring back those that were archived or renamed; ids by the ids given.

        A deleted product's id may be taken for ever: what takes its place then has another one.
        """
        ...

    async def ensure_prices(self, prices: Sequence[Price]) -> SyncedObjects:
        """Find the prices by their lookup keys, make those missing or different, bring back the archived; ids by lookup key."""
        ...

    async def ensure_tax_rates(self, rates: Sequence[TaxRate]) -> SyncedObjects:
        """Find the tax rates by their keys, make those that are missing, and bring back the archived; ids by key."""
        ...


class EventGateway(Protocol):
    """What happened at the provider."""

    async def event_endpoints(self) -> Sequence[EventEndpoint]:
        """The endpoints there are, without their secrets."""
        ...

    async def create_event_endpoint(self, url: str, event_types: Sequence[str]) -> EventEndpoint:
        """Have events of these types reported to `url`; the answer carries the secret."""
        ...

    async def update_event_endpoint(self, endpoint_id: str, url: str, event_types: Sequence[str]) -> None:
        """Have an endpoint, which keeps its secret, get events of these types at `url`, also if it was disabled."""
        ...

    async def delete_event_endpoint(self, endpoint_id: str) -> None:
        """Report to this endpoint no more."""
        ...

    async def events_after(self, event_id: str | None) -> Sequence[ProviderEvent]:
        """The events after one (or the newest ones there are, without), of every type, oldest first, a page at most."""
        ...

    async def events_since(self, since: datetime, *, event_types: Sequence[str]) -> Sequence[ProviderEvent]:
        """All events of these types from a time on, oldest first; the provider remembers 30 days of them."""
        ...


class Gateway(
    CustomerGateway,
    InvoiceGateway,
    RefundGateway,
    CheckoutGateway,
    CatalogGateway,
    EventGateway,
    SubscriptionGateway,
    ScheduleGateway,
    PreviewGateway,
    PortalGateway,
    TaxGateway,
    Protocol,
):
    """Everything the product asks of its payment provider."""
