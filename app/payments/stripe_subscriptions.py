"""Subscriptions in Stripe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import stripe

from app.payments.gateway_errors import GatewayDeclined, GatewayMissing, GatewayRefused, ScheduleAttached
from app.payments.gateway_values import Checkout, ReturnUrls
from app.payments.stripe_calls import PAGE, StripeCalls, keyed
from app.payments.stripe_subscription_values import change_params, subscription_value
from app.payments.stripe_values import checkout_value
from app.payments.subscription_values import ChangeBilling, PricedQuantity, ProviderSubscription, SubscriptionChange

# Said explicitly, since it can't be left again and what it means for credits and anchors is relied upon.
BILLING_MODE: dict[str, Any] = {"type": "flexible"}


class StripeSubscriptions(StripeCalls):
    """Subscriptions, and the page that starts one."""

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
        # a session's own metadata is not the subscription's
        data: dict[str, Any] = {"billing_mode": BILLING_MODE, "metadata": dict(metadata)}
        if tax_rate_ids:
            data["default_tax_rates"] = list(tax_rate_ids)
        params: Any = {
            "mode": "subscription",
            "customer": customer_id,
            "allowed_payment_method_types": ["card"],
            "line_items": [{"price": item.price_id, "quantity": item.quantity} for item in items],
            "subscription_data": data,
            "metadata": dict(metadata),
            "success_url": urls.success,
            "cancel_url": urls.cancel,
            "expires_at": int(expires_at.timestamp()),
        }
        if asks_address:
            params |= {"billing_address_collection": "required", "customer_update": {"address": "auto"}}
        if asks_tax_id:
            # Stripe writes the name that belongs to the tax id to the customer, or refuses to ask for one
            params["tax_id_collection"] = {"enabled": True}
            params["customer_update"] = {**params.get("customer_update", {}), "name": "auto"}
        made = await self.step(
            "open_subscription_page", lambda: self.stripe.checkout.sessions.create_async(params, keyed(key))
        )
        return checkout_value(made)

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
        params: Any = {
            "customer": customer_id,
            "items": [{"price": item.price_id, "quantity": item.quantity} for item in items],
            "billing_mode": BILLING_MODE,
            "collection_method": "charge_automatically",
            "default_payment_method": card_id,
            "metadata": dict(metadata),
            "off_session": True,
            # what is not paid leaves nothing behind
            "payment_behavior": "error_if_incomplete",
        }
        if tax_rate_ids:
            params["default_tax_rates"] = list(tax_rate_ids)
        if ends_at is not None:
            params["cancel_at"] = int(ends_at.timestamp())
        try:
            made = await self.step(
                "create_subscription", lambda: self.stripe.subscriptions.create_async(params, keyed(key))
            )
        except stripe.CardError as declined:
            raise GatewayDeclined(declined.user_message or str(declined), declined.code) from declined
        return subscription_value(made)

    async def subscription(self, subscription_id: str) -> ProviderSubscription:
        found = await self.step(
            "retrieve_subscription", lambda: self.stripe.subscriptions.retrieve_async(subscription_id)
        )
        return subscription_value(found)

    async def find_subscriptions(self, customer_id: str) -> Sequence[ProviderSubscription]:
        params: Any = {"customer": customer_id, "status": "all", "limit": PAGE}
        page = await self.step("list_subscriptions", lambda: self.stripe.subscriptions.list_async(params))
        return [subscription_value(subscription) async for subscription in page.auto_paging_iter()]

    async def change_subscription(
        self, subscription_id: str, change: SubscriptionChange, *, metadata: Mapping[str, str], key: str
    ) -> ProviderSubscription:
        params = change_params(change)
        if metadata:
            params["metadata"] = dict(metadata)
        if change.billing is ChangeBilling.AT_ONCE or change.restarts_period:
            # refused where the change makes no invoice
            params["payment_behavior"] = "pending_if_incomplete"
        try:
            return await self._update("change_subscription", subscription_id, params, keyed(key))
        except stripe.CardError as declined:
            raise GatewayDeclined(declined.user_message or str(declined), declined.code) from declined

    async def set_tax_rates(self, subscription_id: str, tax_rate_ids: Sequence[str]) -> ProviderSubscription:
        # Without a key, as each of the two below: the write says everything. An empty text unsets.
        rates = list(tax_rate_ids) or ""
        return await self._update("set_tax_rates", subscription_id, {"default_tax_rates": rates})

    async def set_subscription_card(self, subscription_id: str, card_id: str) -> ProviderSubscription:
        return await self._update("set_subscription_card", subscription_id, {"default_payment_method": card_id})

    async def end_with_period(self, subscription_id: str, *, key: str) -> ProviderSubscription:
        return await self._set_end("end_with_period", subscription_id, {"cancel_at_period_end": True}, key)

    async def take_back_end(self, subscription_id: str, *, key: str) -> ProviderSubscription:
        found = await self.subscription(subscription_id)
        if found.ends_at is None or found.has_ended:
            return found
        # The portal sets a time and leaves the flag alone. Each has a key of its own: a key stands for one request.
        if found.ends_at_period_end:
            return await self._set_end("take_back_end", subscription_id, {"cancel_at_period_end": False}, key)
        return await self._set_end("take_back_end", subscription_id, {"cancel_at": ""}, f"{key}-time")

    async def end_now(self, subscription_id: str) -> ProviderSubscription:
        # Stripe knows no keys for this call; once more answers 404
        params: Any = {"prorate": False, "invoice_now": False}
        try:
            ended = await self.step("end_now", lambda: self.stripe.subscriptions.cancel_async(subscription_id, params))
        except GatewayMissing:
            found = await self.subscription(subscription_id)
            if not found.has_ended:
                raise
            return found
        return subscription_value(ended)

    async def _set_end(self, name: str, subscription_id: str, params: dict[str, Any], key: str) -> ProviderSubscription:
        try:
            return await self._update(name, subscription_id, params, keyed(key))
        except GatewayMissing:
            raise
        except GatewayRefused as refused:
            # Stripe's refusal has no code of its own
            found = await self.subscription(subscription_id)
            if found.schedule_id is None:
                raise
            raise ScheduleAttached(str(refused), found.schedule_id) from refused

    async def _update(self, name: str, subscription_id: str, params: Any, options: Any = None) -> ProviderSubscription:
        changed = await self.step(
            name, lambda: self.stripe.subscriptions.update_async(subscription_id, params, options)
        )
        return subscription_value(changed)
