"""The mirror of the provider's invoices: what the list of invoices shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.billing.payments.invoice_lines import LineOrigin, lines_as_json, origins_in, tax_lines_as_json
from app.db.engine import Session
from app.db.tables.payments import BillingAccountRow, InvoiceRow
from app.ids import uuid7
from app.payments.gateway_values import InvoiceStatus, ProviderInvoice
from app.store import billing_accounts as billing_account_store
from app.store import invoices as invoice_store
from app.store.invoices import MirroredInvoice

TOPIC = "invoice"
INVOICE_PAID: Final = "invoice_paid"
"""The task that tells the owners of an invoice that was paid."""

# what was paid longer ago is no news, however late it is heard of
_NEWS_FOR: Final = timedelta(days=30)

_NO_ORIGINS: Final[Mapping[str, LineOrigin]] = MappingProxyType({})


async def mirror(
    session: Session,
    workspace_id: UUID,
    invoice: ProviderInvoice,
    origins: Mapping[str, LineOrigin] = _NO_ORIGINS,
) -> InvoiceRow:
    """Bring the mirrored invoice in line with the provider's, and leave a hint for open screens if anything changed.

    `invoice` must have been fetched after the event that made the caller fetch it: the newest fetch wins. `origins` tells by the
    provider's id of its price what a line bills; what was known before is kept, since a price that was replaced at the provider
    is not found any more. Drafts leave no hint unless they are of a subscription: the API shows no others.
    """
    account = await billing_account_store.lock(session, workspace_id)
    row = await invoice_store.lock_with_provider_id(session, invoice.id)
    known = origins_in(row.lines) if row is not None else {}
    values = _values(invoice, {**known, **origins})
    was_paid = row is not None and row.status == InvoiceStatus.PAID
    if row is None:
        row = InvoiceRow(
            workspace_id=workspace_id,
            id=uuid7(),
            provider_id=invoice.id,
            changed_at=session.now,
            amount_refunded_minor=0,
            version=1,
            **values,
        )
        session.add(row)
    elif _is_older(row, invoice) or all(getattr(row, name) == value for name, value in values.items()):
        return row
    else:
        if invoice.status is InvoiceStatus.PAID and row.status != InvoiceStatus.PAID and invoice.purchase_id is None:
            # for the invoice of a purchase, the purchase's success has an event of its own
            after = {"invoice": str(row.id), "number": invoice.number}
            await audit_log.record(session, workspace_id, SYSTEM, "invoice.paid", "An invoice was paid.", after=after)
        for name, value in values.items():
            setattr(row, name, value)
        row.changed_at = session.now
        row.version += 1
    if not was_paid and _is_news(session, account, invoice):
        session.outbox.enqueue(INVOICE_PAID, {"workspace_id": str(workspace_id), "invoice_id": str(row.id)})
    if is_shown(invoice):
        session.outbox.hint(TOPIC, workspace_id, row.id, row.version)
    return row


def is_shown(invoice: ProviderInvoice) -> bool:
    """Whether the list shows an invoice: once it is issued, and a subscription's from the first.

    Another draft may be deleted at the provider, and no event would remove it from the list again.
    """
    return invoice.subscription_id is not None or invoice.status is not InvoiceStatus.DRAFT


async def call_off(session: Session, invoice_id: str) -> None:
    """Show as void a mirrored invoice that the provider no longer has, as after all test data was deleted there: nothing is due.

    `invoice_id` is the provider's. The billing account is locked.
    """
    row = await invoice_store.lock_with_provider_id(session, invoice_id)
    if row is not None and row.status in (InvoiceStatus.DRAFT, InvoiceStatus.OPEN):
        row.status = InvoiceStatus.VOID.value
        row.changed_at = session.now
        row.version += 1
        session.outbox.hint(TOPIC, row.workspace_id, row.id, row.version)


def show_refunded(session: Session, row: InvoiceRow, refunded_minor: int) -> None:
    """Set how much of a mirrored, locked invoice was refunded, and leave a hint for open screens if that changed."""
    if row.amount_refunded_minor == refunded_minor:
        return
    row.amount_refunded_minor = refunded_minor
    row.changed_at = session.now
    row.version += 1
    session.outbox.hint(TOPIC, row.workspace_id, row.id, row.version)


def due_minor(row: InvoiceRow | MirroredInvoice) -> int:
    """What is still to be paid of a mirrored invoice, in its currency's smallest unit.

    The provider keeps the amount that was left when an invoice was called off or given up. Nobody is asked for it any more.
    """
    return 0 if row.status in (InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE) else row.amount_due_minor


def credit_applied_minor(row: InvoiceRow | MirroredInvoice) -> int:
    """What the customer's credit paid of a mirrored invoice, in its currency's smallest unit; a void one has given it back."""
    return 0 if row.status == InvoiceStatus.VOID else row.credit_applied_minor


def _is_news(session: Session, account: BillingAccountRow, invoice: ProviderInvoice) -> bool:
    """Whether the owners are to hear that an invoice was paid: not of one over nothing, nor of a history that was imported."""
    if invoice.status is not InvoiceStatus.PAID or invoice.paid_at is None or invoice.total_minor <= 0:
        return False
    is_of_history = account.adopted_at is not None and invoice.paid_at < account.adopted_at
    return not is_of_history and invoice.paid_at > session.now - _NEWS_FOR


# An invoice's status only ever moves on. A status fetched before a newer one was stored must not replace the newer one.
_ORDER = {
    InvoiceStatus.DRAFT: 0,
    InvoiceStatus.OPEN: 1,
    InvoiceStatus.UNCOLLECTIBLE: 2,
    InvoiceStatus.PAID: 3,
    InvoiceStatus.VOID: 3,
}


def _is_older(row: InvoiceRow, invoice: ProviderInvoice) -> bool:
    return _ORDER[invoice.status] < _ORDER[InvoiceStatus(row.status)]


def _values(invoice: ProviderInvoice, origins: Mapping[str, LineOrigin]) -> dict[str, Any]:
    return {
        "purchase_id": UUID(invoice.purchase_id) if invoice.purchase_id else None,
        "number": invoice.number,
        "status": invoice.status.value,
        "currency": invoice.currency,
        "issued_at": invoice.issued_at,
        "due_at": invoice.due_at,
        "paid_at": invoice.paid_at,
        "subtotal_minor": invoice.subtotal_minor,
        "tax_minor": invoice.tax_minor,
        "total_minor": invoice.total_minor,
        "amount_due_minor": invoice.amount_due_minor,
        "amount_paid_minor": invoice.amount_paid_minor,
        "credit_applied_minor": invoice.credit_applied_minor,
        "lines": lines_as_json(invoice.lines, origins),
        "tax_lines": tax_lines_as_json(invoice.tax_lines),
        "hosted_url": invoice.hosted_url,
        "pdf_url": invoice.pdf_url,
        "subscription_id": invoice.subscription_id,
        "made_at": invoice.created_at,
    }
