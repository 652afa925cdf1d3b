"""Previews of invoices in Stripe, which write nothing there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import stripe

from app.payments.gateway_errors import GatewayRefused
from app.payments.stripe_invoice_parts import StripeInvoiceParts
from app.payments.stripe_subscription_values import change_params, item_params, preview_value
from app.payments.stripe_subscriptions import BILLING_MODE
from app.payments.subscription_values import InvoicePreview, ItemChange, PricedQuantity, SetEndKind, SubscriptionChange


class StripePreviews(StripeInvoiceParts):
    """What would be billed."""

    async def preview_change(self, subscription_id: str, change: SubscriptionChange) -> InvoicePreview:
        details = change_params(change)
        if change.taken_back_end is SetEndKind.WITH_PERIOD:
            details["cancel_at_period_end"] = False
        elif change.taken_back_end is SetEndKind.AT_TIME:
            details["cancel_at"] = ""
        return await self._preview({"subscription": subscription_id, "subscription_details": details})

    async def preview_start(
        self, customer_id: str | None, items: Sequence[PricedQuantity], *, tax_rate_ids: Sequence[str]
    ) -> InvoicePreview:
        details: dict[str, Any] = {
            "items": [{"price": item.price_id, "quantity": item.quantity} for item in items],
            "billing_mode": BILLING_MODE,
        }
        if tax_rate_ids:
            details["default_tax_rates"] = list(tax_rate_ids)
        # Stripe wants to be told something about whom it is for
        whom = {"customer": customer_id} if customer_id is not None else {"customer_details": {"tax_exempt": "none"}}
        return await self._preview(whom | {"subscription_details": details})

    async def preview_next(self, subscription_id: str) -> InvoicePreview:
        return await self._preview({"subscription": subscription_id})

    async def preview_recurring(self, subscription_id: str, items: Sequence[ItemChange]) -> InvoicePreview:
        params: dict[str, Any] = {"subscription": subscription_id, "preview_mode": "recurring"}
        if items:
            params["subscription_details"] = {"items": [item_params(item) for item in items]}
        return await self._preview(params)

    async def preview_end_now(self, subscription_id: str) -> InvoicePreview:
        # The credit would be an item that waits, and the preview that of the next invoice, unless it is to be billed at once.
        details = {"cancel_now": True, "proration_behavior": "always_invoice"}
        return await self._preview({"subscription": subscription_id, "subscription_details": details})

    async def _preview(self, params: Any) -> InvoicePreview:
        invoice = await self.step("preview_invoice", lambda: self.stripe.invoices.create_preview_async(params))
        return preview_value(invoice, await self._lines(invoice), await self.tax_rate_names(invoice))

    async def _lines(self, invoice: stripe.Invoice) -> Sequence[stripe.InvoiceLineItem]:
        """All lines of a preview, or its first ten where Stripe does not list the lines of what does not exist."""
        try:
            return await self.lines_of(invoice)
        except GatewayRefused:
            return invoice.lines.data
