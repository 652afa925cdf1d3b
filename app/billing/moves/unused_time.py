"""What goes back of a paid plan that is ended at once: the worth of the time that was paid for and not used. Pure.

What ending now would credit is the provider's own preview. Of that goes back to the cards at most what they paid for the time
that is left, and what was neither refunded nor disputed since. What credit paid for does not go back, and credit itself stays. What
is unpaid is called off, so it counts against the worth: time that nobody paid for is worth nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.payments.gateway_values import InvoicePayment, InvoiceStatus, ProviderInvoice

_UNPAID: Final = (InvoiceStatus.DRAFT, InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)


@dataclass(frozen=True, slots=True)
class PaidPart:
    """A payment by card for the time that is left, with the invoice that it paid.

    `credited_minor` is how much of it has gone back without a refund.
    """

    invoice_id: str
    payment: InvoicePayment
    credited_minor: int = 0

    @property
    def left_minor(self) -> int:
        """How much of it may go back: nothing while the bank decides about it, or has decided for the cardholder."""
        return 0 if self.payment.is_disputed else max(0, self.payment.left_minor - self.credited_minor)


@dataclass(frozen=True, slots=True)
class PartToRefund:
    """What is to be refunded of one payment, in the smallest unit of its currency."""

    invoice_id: str
    payment_id: str
    amount_minor: int


def bills_time_after(invoice: ProviderInvoice, moment: datetime) -> bool:
    """Whether an invoice, of whatever status, bills time that lies after a moment."""
    return any(line.period_end is not None and line.period_end > moment for line in invoice.lines)


def unpaid_minor(invoices: Sequence[ProviderInvoice], *, awaited_invoice_id: str | None) -> int:
    """What is unpaid of these invoices. The invoice of a change that waits for its payment, which is not made, is left out."""
    return sum(
        invoice.total_minor - invoice.amount_paid_minor
        for invoice in invoices
        if invoice.status in _UNPAID and invoice.id != awaited_invoice_id and invoice.total_minor > 0
    )


def paid_parts(invoice_id: str, payments: Sequence[InvoicePayment], *, credited_otherwise_minor: int) -> list[PaidPart]:
    """The payments of an invoice; what credit notes gave back of it without a refund is taken from one after the other."""
    parts: list[PaidPart] = []
    rest = credited_otherwise_minor
    for payment in payments:
        taken = min(rest, payment.left_minor)
        parts.append(PaidPart(invoice_id, payment, taken))
        rest -= taken
    return parts


def parts_to_refund(worth_minor: int, unpaid: int, paid: Sequence[PaidPart]) -> tuple[PartToRefund, ...]:
    """How a worth is refunded: from the first payment as much as is left of it, then from the next; none of them is zero."""
    rest = worth_minor - unpaid
    parts: list[PartToRefund] = []
    for part in paid:
        amount = min(rest, part.left_minor)
        if amount > 0:
            parts.append(PartToRefund(part.invoice_id, part.payment.id, amount))
            rest -= amount
    return tuple(parts)
