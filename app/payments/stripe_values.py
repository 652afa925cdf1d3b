"""Stripe's objects as values of the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import stripe

from app.payments.gateway_values import (
    Checkout,
    CheckoutStatus,
    InvoiceLine,
    InvoiceStatus,
    PaymentAttempt,
    PaymentStatus,
    ProviderEvent,
    ProviderInvoice,
    TaxLine,
)

_PAYMENT_STATUS = {
    "requires_payment_method": PaymentStatus.DECLINED,
    "requires_confirmation": PaymentStatus.NOT_ATTEMPTED,
    "requires_action": PaymentStatus.ACTION_REQUIRED,
    "processing": PaymentStatus.PROCESSING,
    "requires_capture": PaymentStatus.PROCESSING,
    "canceled": PaymentStatus.CANCELED,
    "succeeded": PaymentStatus.SUCCEEDED,
}


def moment(seconds: int | None) -> datetime | None:
    """A Unix time in seconds as an aware time in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def invoice_value(
    invoice: stripe.Invoice,
    lines: Sequence[stripe.InvoiceLineItem],
    tax_rates: Mapping[str, tuple[str, Decimal]],
) -> ProviderInvoice:
    """The invoice as a value, with all its lines; `tax_rates` gives the name and percentage of each tax rate on it by id."""
    parent = optional(optional(invoice, "parent"), "subscription_details")
    transitions = invoice.status_transitions
    metadata = invoice.metadata.to_dict() if invoice.metadata is not None else {}
    return ProviderInvoice(
        id=invoice.id,
        customer_id=id_of(invoice.customer) or "",
        number=invoice.number,
        status=InvoiceStatus((invoice.status or "draft").upper()),
        currency=invoice.currency.upper(),
        issued_at=moment(transitions.finalized_at),
        due_at=moment(invoice.due_date),
        paid_at=moment(transitions.paid_at),
        subtotal_minor=subtotal_after_discounts(invoice),
        tax_minor=sum(tax.amount for tax in invoice.total_taxes or ()),
        total_minor=invoice.total,
        amount_due_minor=invoice.amount_remaining,
        amount_paid_minor=invoice.amount_paid,
        is_paid_elsewhere=invoice.status == "paid" and 0 < invoice.amount_paid <= (invoice.amount_paid_off_stripe or 0),
        credit_applied_minor=_credit_applied(invoice),
        lines=tuple(line_value(line) for line in lines),
        tax_lines=tax_line_values(invoice, tax_rates),
        hosted_url=invoice.hosted_invoice_url,
        pdf_url=invoice.invoice_pdf,
        purchase_id=_purchase_id(metadata),
        attempt=_attempt(invoice),
        created_at=datetime.fromtimestamp(invoice.created, UTC),
        subscription_id=id_of(optional(parent, "subscription")),
        subscription_metadata=texts(optional(parent, "metadata")),
        credited_minor=invoice.post_payment_credit_notes_amount,
    )


def event_value(event: stripe.Event) -> ProviderEvent:
    """The event as a value: what it is about, not what it says."""
    about = cast(dict[str, object], cast(Any, event.data.object).to_dict())
    customer = about.get("id" if about.get("object") == "customer" else "customer")
    return ProviderEvent(
        id=event.id,
        type=event.type,
        created_at=datetime.fromtimestamp(event.created, UTC),
        object_id=str(about.get("id", "")),
        customer_id=customer if isinstance(customer, str) else None,
    )


def checkout_value(session: stripe.checkout.Session) -> Checkout:
    """A hosted page as a value."""
    metadata = session.metadata.to_dict() if session.metadata is not None else {}
    return Checkout(
        id=session.id,
        customer_id=id_of(session.customer),
        status=CheckoutStatus((session.status or "open").upper()),
        url=optional(session, "url"),
        total_minor=optional(session, "amount_total"),
        invoice_id=id_of(optional(session, "invoice")),
        purchase_id=_purchase_id(metadata),
        subscription_id=id_of(optional(session, "subscription")),
    )


def _purchase_id(metadata: Mapping[str, str]) -> str | None:
    """The purchase that something was made for; what others wrote under that name is none of ours."""
    try:
        return str(UUID(metadata.get("purchase_id", "")))
    except ValueError:
        return None


def gone_checkout(checkout_id: str) -> Checkout:
    """A hosted page that is not there any more, as a value: closed, and not paid."""
    return Checkout(checkout_id, None, CheckoutStatus.EXPIRED, None, None, None, None, None)


def id_of(reference: Any) -> str | None:
    """The id of an object that is given by its id or, expanded, whole."""
    return reference if isinstance(reference, str) or reference is None else reference.id


def line_value(line: stripe.InvoiceLineItem) -> InvoiceLine:
    """A line of an invoice as a value."""
    details = optional(optional(line, "pricing"), "price_details")
    parent = optional(line, "parent")
    item = optional(parent, "invoice_item_details")
    subscription_item = optional(parent, "subscription_item_details")
    quantity = line.quantity
    amount = line.amount - sum(off.amount for off in optional(line, "discount_amounts") or ())
    return InvoiceLine(
        description=line.description or "",
        quantity=quantity,
        unit_amount_minor=amount // quantity if quantity and amount % quantity == 0 else None,
        amount_minor=amount,
        price_id=id_of(details.price) if details is not None else None,
        period_start=moment(line.period.start),
        period_end=moment(line.period.end),
        is_proration=bool((item and item.proration) or (subscription_item and subscription_item.proration)),
        metadata=texts(optional(line, "metadata")),
    )


def subtotal_after_discounts(invoice: stripe.Invoice) -> int:
    """The sum of an invoice's lines, after discounts as they are."""
    return invoice.subtotal - sum(off.amount for off in optional(invoice, "total_discount_amounts") or ())


def credit_to_apply(invoice: stripe.Invoice) -> int:
    """What of an invoice that is not numbered yet the customer's credit will pay, as it stands now."""
    return max(0, min(invoice.total, -invoice.starting_balance))


def _credit_applied(invoice: stripe.Invoice) -> int:
    # credit is used when the invoice is numbered; until then Stripe tells no balance after it
    if invoice.status == "draft" or invoice.ending_balance is None:
        return credit_to_apply(invoice)
    # below zero is credit; above it is what is owed, such as an amount that is too small to be charged
    return max(0, min(0, invoice.ending_balance) - min(0, invoice.starting_balance))


def tax_line_values(invoice: stripe.Invoice, tax_rates: Mapping[str, tuple[str, Decimal]]) -> tuple[TaxLine, ...]:
    """The tax on an invoice, a value for each rate; `tax_rates` gives their names and percentages by id."""
    lines: list[TaxLine] = []
    for tax in invoice.total_taxes or ():
        rate = tax_rates.get(tax.tax_rate_details.tax_rate) if tax.tax_rate_details is not None else None
        name, percent = rate or ("Tax", None)
        lines.append(TaxLine(name, percent, tax.amount))
    return tuple(lines)


def _attempt(invoice: stripe.Invoice) -> PaymentAttempt:
    payments: list[stripe.InvoicePayment] = optional(optional(invoice, "payments"), "data") or []
    intents = [payment.payment.payment_intent for payment in payments]
    known = [intent for intent in intents if isinstance(intent, stripe.PaymentIntent)]
    if not known:
        return PaymentAttempt(
            None, PaymentStatus.SUCCEEDED if invoice.status == "paid" else PaymentStatus.NOT_ATTEMPTED
        )
    intent = max(known, key=lambda each: each.created)
    return payment_value(intent)


def payment_value(intent: stripe.PaymentIntent) -> PaymentAttempt:
    """What has become of a payment; one that was never confirmed counts as not attempted."""
    status = _PAYMENT_STATUS[intent.status]
    failure = intent.last_payment_error
    if status is PaymentStatus.DECLINED and failure is None:
        status = PaymentStatus.NOT_ATTEMPTED
    redirect = optional(intent.next_action, "redirect_to_url")
    return PaymentAttempt(
        id=intent.id,
        status=status,
        client_secret=intent.client_secret,
        action_url=optional(redirect, "url"),
        decline_code=optional(failure, "decline_code") or optional(failure, "code"),
        decline_message=optional(failure, "message"),
    )


def texts(metadata: Any) -> dict[str, str]:
    """Metadata as plain texts by name."""
    return metadata.to_dict() if metadata is not None else {}


def optional(part: Any, name: str) -> Any:
    """A member that Stripe leaves out, rather than null, where it does not apply."""
    return getattr(part, name, None)
