"""Invoices in Stripe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import stripe

from app.payments.gateway_errors import GatewayMissing, GatewayRefused
from app.payments.gateway_values import Charge, HistoryPage, InvoiceStatus, PastCharge, ProviderInvoice
from app.payments.stripe_calls import PAGE, keyed
from app.payments.stripe_invoice_parts import StripeInvoiceParts
from app.payments.stripe_values import id_of, invoice_value

_SETTLED = ("paid", "void")
_EXPAND_PAYMENT = ["payments.data.payment.payment_intent"]


class StripeInvoices(StripeInvoiceParts):
    """Invoices and paying them."""

    async def create_invoice(self, customer_id: str, *, currency: str, metadata: Mapping[str, str], key: str) -> str:
        invoice = await self.step(
            "create_invoice",
            lambda: self.stripe.invoices.create_async(
                {
                    "customer": customer_id,
                    "auto_advance": False,
                    "collection_method": "charge_automatically",
                    "pending_invoice_items_behavior": "exclude",
                    "currency": currency.lower(),
                    "metadata": dict(metadata),
                },
                keyed(key),
            ),
        )
        return invoice.id

    async def add_charge(self, customer_id: str, invoice_id: str, charge: Charge, *, key: str) -> None:
        params: dict[str, Any] = {
            "customer": customer_id,
            "invoice": invoice_id,
            "description": charge.description,
            "quantity": 1,
            "tax_rates": list(charge.tax_rate_ids),
        }
        if charge.price_id is not None:
            params["pricing"] = {"price": charge.price_id}
        else:
            params["price_data"] = {
                "currency": charge.price.currency.lower(),
                "product": charge.product_id,
                "unit_amount": charge.price.minor,
                "tax_behavior": "inclusive" if charge.price_includes_tax else "exclusive",
            }
        await self.step("add_charge", lambda: self.stripe.invoice_items.create_async(cast(Any, params), keyed(key)))

    async def finalize_invoice(self, invoice_id: str, *, key: str) -> ProviderInvoice:
        return await self._finalize(invoice_id, keyed(key))

    async def _finalize(self, invoice_id: str, options: Any) -> ProviderInvoice:
        # without auto_advance nothing is collected by itself, of a renewal neither
        params: Any = {"auto_advance": False, "expand": _EXPAND_PAYMENT}
        invoice = await self.step(
            "finalize_invoice", lambda: self.stripe.invoices.finalize_invoice_async(invoice_id, params, options)
        )
        return await self._value(invoice)

    async def pay_invoice(self, invoice_id: str, *, card_id: str, off_session: bool, key: str) -> ProviderInvoice:
        # A card error is an answer like any other: what became of the attempt is read from the invoice.
        with suppress(stripe.CardError):
            await self.step(
                "pay_invoice",
                lambda: self.stripe.invoices.pay_async(
                    invoice_id, {"payment_method": card_id, "off_session": off_session}, keyed(key)
                ),
            )
        invoice = await self.invoice(invoice_id)
        if invoice is None:
            raise GatewayRefused(f"invoice {invoice_id} is gone")
        return invoice

    async def discard_invoice(self, invoice_id: str) -> ProviderInvoice | None:
        invoice = await self.invoice(invoice_id)
        if invoice is None:
            return None
        if invoice.status is InvoiceStatus.DRAFT and invoice.subscription_id is None:
            await self.step("delete_invoice", lambda: self.stripe.invoices.delete_async(invoice_id))
            return None
        if invoice.status is InvoiceStatus.DRAFT:
            invoice = await self._number(invoice_id)
            if invoice.status is InvoiceStatus.PAID and not invoice.amount_paid_minor:
                return invoice
        if invoice.status is InvoiceStatus.VOID:
            return invoice
        voided = await self.step(
            "void_invoice", lambda: self.stripe.invoices.void_invoice_async(invoice_id, {"expand": _EXPAND_PAYMENT})
        )
        return await self._value(voided)

    async def _number(self, invoice_id: str) -> ProviderInvoice:
        """Finalize the draft of a subscription, which Stripe does not let be deleted, so that it can be voided."""
        try:
            return await self._finalize(invoice_id, {})
        except GatewayRefused:
            # Stripe may have done so itself meanwhile: a renewal's draft waits for an hour
            invoice = await self.invoice(invoice_id)
            if invoice is None or invoice.status is InvoiceStatus.DRAFT:
                raise
            return invoice

    async def invoice(self, invoice_id: str) -> ProviderInvoice | None:
        try:
            invoice = await self.step(
                "retrieve_invoice", lambda: self.stripe.invoices.retrieve_async(invoice_id, {"expand": _EXPAND_PAYMENT})
            )
        except GatewayMissing:
            return None
        return None if getattr(invoice, "deleted", False) else await self._value(invoice)

    async def find_invoices(self, customer_id: str, *, purchase_id: str) -> Sequence[ProviderInvoice]:
        page = await self.step(
            "list_invoices", lambda: self.stripe.invoices.list_async({"customer": customer_id, "limit": PAGE})
        )
        found = [
            invoice
            async for invoice in page.auto_paging_iter()
            if invoice.metadata is not None and invoice.metadata.to_dict().get("purchase_id") == purchase_id
        ]
        return [current for invoice in found if (current := await self.invoice(invoice.id)) is not None]

    async def subscription_invoices(self, subscription_id: str) -> Sequence[ProviderInvoice]:
        params: Any = {"subscription": subscription_id, "limit": PAGE}

        async def all_pages() -> Sequence[stripe.Invoice]:
            page = await self.stripe.invoices.list_async(params)
            return [invoice async for invoice in page.auto_paging_iter()]

        listed = await self.step("list_invoices", all_pages)
        # Payments can't be expanded in a list. Of those that are settled nobody asks for the payment.
        return [
            current
            for invoice in listed
            if (
                current := await self._value(invoice)
                if invoice.status in _SETTLED
                else await self.invoice(str(invoice.id))
            )
            is not None
        ]

    async def invoice_page(self, customer_id: str, *, after: str | None, most: int) -> HistoryPage[ProviderInvoice]:
        params: Any = {
            "customer": customer_id,
            "limit": most,
            **({"starting_after": after} if after is not None else {}),
        }
        page = await self.step("list_invoices", lambda: self.stripe.invoices.list_async(params))
        # Payments can't be expanded in a list. Of those that are settled nobody asks for the payment.
        found = [
            await self._value(invoice) if invoice.status in _SETTLED else await self.invoice(str(invoice.id))
            for invoice in page.data
        ]
        last = str(page.data[-1].id) if page.data else None
        return HistoryPage(tuple(each for each in found if each is not None), last if page.has_more else None)

    async def charge_page(self, customer_id: str, *, after: str | None, most: int) -> HistoryPage[PastCharge]:
        params: Any = {
            "customer": customer_id,
            "limit": most,
            **({"starting_after": after} if after is not None else {}),
        }
        page = await self.step("list_charges", lambda: self.stripe.charges.list_async(params))
        found = [
            PastCharge(id_of(charge.payment_intent), bool(charge.amount_refunded) or charge.disputed)
            for charge in page.data
        ]
        return HistoryPage(tuple(found), str(page.data[-1].id) if page.has_more else None)

    async def invoice_of_payment(self, payment_id: str) -> str | None:
        page = await self.step(
            "list_invoice_payments",
            lambda: self.stripe.invoice_payments.list_async(
                {"payment": {"type": "payment_intent", "payment_intent": payment_id}, "limit": 1}
            ),
        )
        if not page.data:
            return None
        invoice = page.data[0].invoice
        return invoice if isinstance(invoice, str) else invoice.id

    async def _value(self, invoice: stripe.Invoice) -> ProviderInvoice:
        return invoice_value(invoice, await self.lines_of(invoice), await self.tax_rate_names(invoice))
