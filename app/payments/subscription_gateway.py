"""The gateway's calls for subscriptions, their schedules, previews, the portal and tax ids: values in, values out.

Each may raise `GatewayUnavailable`, `GatewayRefused` or, where an object that the request names is gone, `GatewayMissing`. A call
that makes or changes something takes the idempotency key of its step, unless it says all that it sets: then once more does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.payments.billing_detail_values import Address, BillingDetails, Portal, TaxExemption, TaxId
from app.payments.gateway_values import Checkout, ReturnUrls, SyncedObjects
from app.payments.subscription_values import (
    InvoicePreview,
    ItemChange,
    PricedQuantity,
    ProviderSubscription,
    Schedule,
    SchedulePhase,
    SubscriptionChange,
)


class SubscriptionGateway(Protocol):
    """Subscriptions."""

    async def open_subscription_page(
        self,
        customer_id: str,
        items: Sequence[PricedQuantity],
        *,
        tax_rate_ids: Sequence[str],
        asks_address: bool,
        asks_tax_id: bool,
        urls: ReturnUrls,
        metadata: Mapping[str, str],
        expires_at: datetime,
        key: str,
    ) -> Checkout:
        """A page that charges a card and starts a subscription with this metadata, which keeps the card as its own.

        `asks_address` and `asks_tax_id` write what is entered there to the customer, its name included.
        """
        ...

    async def create_subscription(
        self,
        customer_id: str,
        items: Sequence[PricedQuantity],
        *,
        card_id: str,
        tax_rate_ids: Sequence[str],
        metadata: Mapping[str, str],
        ends_at: datetime | None,
        key: str,
    ) -> ProviderSubscription:
        """Start a subscription at once, charged to this card of the customer's while nobody is there; the card stays its own.

        `ends_at` is when it ends by itself. Raises `GatewayDeclined` where the card is declined or needs its holder: then there is
        no subscription, and no invoice.
        """
        ...

    async def subscription(self, subscription_id: str) -> ProviderSubscription:
        """A subscription as it stands now, ended ones too."""
        ...

    async def find_subscriptions(self, customer_id: str) -> Sequence[ProviderSubscription]:
        """All subscriptions of a customer, ended ones too, newest first, by listing."""
        ...

    async def change_subscription(
        self,
        subscription_id: str,
        change: SubscriptionChange,
        *,
        metadata: Mapping[str, str],
        key: str,
    ) -> ProviderSubscription:
        """Change items; metadata joins the subscription's together with them.

        What bills at once is made once its invoice is paid: a decline, or a card that needs its holder, leaves the subscription as
        it was, with a `pending_update` and the open invoice as its latest. A pending update before this one is dropped, and its
        invoice voided. Raises `GatewayDeclined` where the provider says a decline at once; then nothing is pending.
        """
        ...

    async def set_tax_rates(self, subscription_id: str, tax_rate_ids: Sequence[str]) -> ProviderSubscription:
        """From the next invoice on, tax the subscription at these rates; none: without tax."""
        ...

    async def set_subscription_card(self, subscription_id: str, card_id: str) -> ProviderSubscription:
        """Charge this card for the subscription, whatever the customer's default is."""
        ...

    async def end_with_period(self, subscription_id: str, *, key: str) -> ProviderSubscription:
        """Let a subscription end when its period does; raises `ScheduleAttached` while it has a schedule."""
        ...

    async def take_back_end(self, subscription_id: str, *, key: str) -> ProviderSubscription:
        """Let a subscription go on that was set to end, also by the portal; raises `ScheduleAttached` while it has a schedule."""
        ...

    async def end_now(self, subscription_id: str) -> ProviderSubscription:
        """End a subscription at once, without billing or crediting anything; one that has ended is fine.

        Its open invoices stay payable. Raises `GatewayRefused` for one that an open page is starting: expire the page.
        """
        ...


class ScheduleGateway(Protocol):
    """What is decided for later."""

    async def create_schedule(self, subscription_id: str, *, key: str) -> Schedule:
        """Attach a schedule whose only phase is the subscription's present period; raises `GatewayRefused` if there is one."""
        ...

    async def schedule(self, schedule_id: str) -> Schedule:
        """A schedule as it stands now."""
        ...

    async def set_phases(self, schedule_id: str, phases: Sequence[SchedulePhase], *, key: str) -> Schedule:
        """Say the current phase and all that follow, none prorated; after the last the subscription goes on as it is then."""
        ...

    async def release_schedule(self, schedule_id: str, *, key: str) -> Schedule:
        """Let the subscription go on as it is, without its schedule; one that is not active any more is fine."""
        ...


class PreviewGateway(Protocol):
    """What would be billed. Nothing is written."""

    async def preview_change(self, subscription_id: str, change: SubscriptionChange) -> InvoicePreview:
        """What a change would bill: at once, or, where it never bills the present period, with the next renewal."""
        ...

    async def preview_start(
        self, customer_id: str | None, items: Sequence[PricedQuantity], *, tax_rate_ids: Sequence[str]
    ) -> InvoicePreview:
        """The first invoice of a subscription that would start now; without a customer, for somebody who is not one yet."""
        ...

    async def preview_next(self, subscription_id: str) -> InvoicePreview:
        """The next renewal, with what waits for it and what a schedule changes; raises `NothingToBill` where none will come."""
        ...

    async def preview_recurring(self, subscription_id: str, items: Sequence[ItemChange]) -> InvoicePreview:
        """What recurs once these items have changed: each item for a full period, and nothing that is billed only once.

        Without changes, as the subscription is. Raises `NothingToBill` for one that has ended.
        """
        ...

    async def preview_end_now(self, subscription_id: str) -> InvoicePreview:
        """What ending now would credit for unused time, as a total below zero. Ending does not give it back by itself."""
        ...


class PortalGateway(Protocol):
    """The provider's portal: cards, address, tax ids, invoices and, if offered, canceling at the period's end."""

    async def ensure_portals(self, portals: Sequence[Portal]) -> SyncedObjects:
        """Find the configurations by their keys, make those that are missing, and bring back what was changed; ids by key."""
        ...

    async def open_portal(self, customer_id: str, *, portal_id: str, return_url: str) -> str:
        """The address of a page for this customer, to be opened within minutes."""
        ...


class TaxGateway(Protocol):
    """What decides about a customer's tax."""

    async def billing_details(self, customer_id: str) -> BillingDetails:
        """The customer's address and exemption; raises `GatewayMissing` for a customer that was deleted."""
        ...

    async def set_address(self, customer_id: str, address: Address | None) -> None:
        """Let the customer have this address, or none."""
        ...

    async def set_exemption(self, customer_id: str, exemption: TaxExemption) -> None:
        """Say whether the customer pays tax, from the next invoice on."""
        ...

    async def tax_ids(self, customer_id: str) -> Sequence[TaxId]:
        """The customer's tax ids, oldest first."""
        ...

    async def create_tax_id(self, customer_id: str, *, kind: str, value: str, key: str) -> TaxId:
        """Give the customer a tax id, which is verified later; raises `InvalidTaxId` for a text that can't be one."""
        ...

    async def delete_tax_id(self, customer_id: str, tax_id: str) -> None:
        """Take a tax id from the customer; one already gone is fine."""
        ...
