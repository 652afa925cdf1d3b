"""Stripe Checkout: hosted pages for those without a card on file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from app.payments.gateway_errors import GatewayMissing, GatewayRefused
from app.payments.gateway_values import Charge, Checkout, ReturnUrls
from app.payments.stripe_calls import PAGE, StripeCalls, keyed
from app.payments.stripe_values import checkout_value, gone_checkout


class StripeCheckout(StripeCalls):
    """Pages to pay on, and pages to save a card on."""

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
        line: dict[str, Any] = {"quantity": 1, "tax_rates": list(charge.tax_rate_ids)}
        if charge.price_id is not None:
            line["price"] = charge.price_id
        else:
            line["price_data"] = {
                "currency": charge.price.currency.lower(),
                "product": charge.product_id,
                "unit_amount": charge.price.minor,
                "tax_behavior": "inclusive" if charge.price_includes_tax else "exclusive",
            }
        params: Any = {
            "mode": "payment",
            "customer": customer_id,
            "allowed_payment_method_types": ["card"],
            "line_items": [line],
            "invoice_creation": {"enabled": True, "invoice_data": {"metadata": dict(metadata)}},
            "payment_intent_data": {"setup_future_usage": "off_session", "metadata": dict(metadata)},
            "metadata": dict(metadata),
            "success_url": urls.success,
            "cancel_url": urls.cancel,
            "expires_at": int(expires_at.timestamp()),
        }
        made = await self.step(
            "open_payment_page", lambda: self.stripe.checkout.sessions.create_async(params, keyed(key))
        )
        return checkout_value(made)

    async def open_card_page(self, customer_id: str, *, urls: ReturnUrls, expires_at: datetime, key: str) -> Checkout:
        params: Any = {
            "mode": "setup",
            "customer": customer_id,
            "allowed_payment_method_types": ["card"],
            "success_url": urls.success,
            "cancel_url": urls.cancel,
            "expires_at": int(expires_at.timestamp()),
        }
        made = await self.step("open_card_page", lambda: self.stripe.checkout.sessions.create_async(params, keyed(key)))
        return checkout_value(made)

    async def checkout(self, checkout_id: str) -> Checkout:
        try:
            found = await self.step(
                "retrieve_checkout", lambda: self.stripe.checkout.sessions.retrieve_async(checkout_id)
            )
        except GatewayMissing:
            # as after the account's test data was deleted: nobody can pay on it any more
            return gone_checkout(checkout_id)
        return checkout_value(found)

    async def expire_checkout(self, checkout_id: str) -> Checkout:
        # Stripe refuses to expire a page that is no longer open; its status is fetched below.
        with suppress(GatewayRefused):
            await self.step("expire_checkout", lambda: self.stripe.checkout.sessions.expire_async(checkout_id))
        return await self.checkout(checkout_id)

    async def find_checkouts(self, customer_id: str, *, purchase_id: str) -> Sequence[Checkout]:
        params: Any = {"customer": customer_id, "limit": PAGE}
        page = await self.step("list_checkouts", lambda: self.stripe.checkout.sessions.list_async(params))
        found = [checkout_value(session) async for session in page.auto_paging_iter()]
        return [checkout for checkout in found if checkout.purchase_id == purchase_id]
