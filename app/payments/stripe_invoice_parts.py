"""What Stripe's invoices only name, or tell a part of: the tax rates on them, and their lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import stripe
from stripe import V1Services

from app.payments.stripe_calls import PAGE, StripeCalls


class StripeInvoiceParts(StripeCalls):
    """Reads what an invoice does not tell by itself. Tax rates, whose percentage never changes, are remembered once read."""

    def __init__(self, client: V1Services, fault: Callable[[str], None]) -> None:
        super().__init__(client, fault)
        self._tax_rates: dict[str, tuple[str, Decimal]] = {}

    async def tax_rate_names(self, invoice: stripe.Invoice) -> Mapping[str, tuple[str, Decimal]]:
        """The name and the percentage of each tax rate on an invoice, by its id."""
        rates = {
            total.tax_rate_details.tax_rate for total in invoice.total_taxes or () if total.tax_rate_details is not None
        }
        for rate in rates - self._tax_rates.keys():
            found = await self.step("retrieve_tax_rate", lambda rate=rate: self.stripe.tax_rates.retrieve_async(rate))
            self._tax_rates[rate] = (found.display_name, Decimal(str(found.percentage)))
        return {rate: self._tax_rates[rate] for rate in rates}

    async def lines_of(self, invoice: stripe.Invoice) -> Sequence[stripe.InvoiceLineItem]:
        """All lines of an invoice: the invoice itself tells the first ten only."""
        if not invoice.lines.has_more:
            return invoice.lines.data

        async def all_pages() -> Sequence[stripe.InvoiceLineItem]:
            page = await self.stripe.invoices.line_items.list_async(str(invoice.id), {"limit": PAGE})
            return [line async for line in page.auto_paging_iter()]

        return await self.step("list_invoice_lines", all_pages)
