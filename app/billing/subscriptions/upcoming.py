"""The next bill of a workspace, as it is kept between the times that the provider is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app.billing.payments.invoice_lines import LineOrigin, lines_as_json
from app.payments.subscription_values import InvoicePreview
from app.store.subscriptions import KeptUpcomingInvoice

ASK_AGAIN_AFTER: Final = timedelta(minutes=1)
"""For one version of a subscription the provider is asked once in this time at most, answered or not."""


@dataclass(frozen=True, slots=True)
class UpcomingInvoice:
    """The next bill as it was told at `asked_at`; `at` is when it will be charged.

    Amounts are in the smallest unit of `currency`, as `InvoicePreview` has them; `lines` are as `invoice_lines` keeps them.
    """

    asked_at: datetime
    at: datetime
    currency: str
    lines: list[dict[str, Any]]
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    due_minor: int


def upcoming_as_json(preview: InvoicePreview, origins: Mapping[str, LineOrigin], *, at: datetime) -> dict[str, Any]:
    """The next bill as it is kept; `origins` tells what its lines bill, `at` when it is charged if the preview does not say."""
    return {
        "at": (preview.charged_at or at).isoformat(),
        "currency": preview.currency,
        "lines": lines_as_json(preview.lines, origins),
        "subtotal_minor": preview.subtotal_minor,
        "tax_minor": preview.tax_minor,
        "total_minor": preview.total_minor,
        "credit_applied_minor": preview.credit_applied_minor,
        "due_minor": preview.due_minor,
    }


def kept_invoice(kept: KeptUpcomingInvoice) -> UpcomingInvoice | None:
    """The next bill that is kept; None where nothing will be billed, or nothing was told yet."""
    invoice = kept.invoice
    if invoice is None or kept.asked_at is None:
        return None
    values: dict[str, Any] = {**invoice, "at": datetime.fromisoformat(invoice["at"])}
    return UpcomingInvoice(asked_at=kept.asked_at, **values)


def is_to_be_asked(kept: KeptUpcomingInvoice | None, version: int, now: datetime) -> bool:
    """Whether the provider is to be asked for the next bill of this version of a subscription."""
    if kept is None or kept.tried_at is None or kept.tried_version != version:
        return True
    return kept.tried_at + ASK_AGAIN_AFTER <= now
