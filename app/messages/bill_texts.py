"""The texts of mails about bills, and about what is paid for: see `app.messages.message_texts` for what no mail says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.messages.mail import Mail
from app.messages.mail_parts import mail, moment, until, workspace


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice as a mail tells it: amounts as people read them, with their currency; `page` is where it is shown and paid."""

    number: str | None
    total: str
    paid_by_credit: str | None
    due: str
    page: str | None


def invoice_paid(to: str, handle: str, bill: Bill) -> Mail:
    """For the owners of a workspace whose invoice was paid."""
    named = f"Invoice {bill.number}" if bill.number is not None else "An invoice"
    credit = f" Of that, {bill.paid_by_credit} was paid by credit." if bill.paid_by_credit is not None else ""
    return mail(
        to,
        f"{named} is paid: {bill.total}",
        f"{named} of {workspace(handle)} over {bill.total} is paid.{credit}",
        "It is also on the billing page, with all others.",
        link=bill.page,
    )


def plan_changed(to: str, handle: str, *, before: str, now: str) -> Mail:
    """For the owners of a workspace that has another plan, other seats or other add-ons."""
    return mail(
        to,
        "Your subscription has changed",
        f"The subscription of {workspace(handle)} has changed. Now: {now}. Before: {before}.",
        "If you did not expect that, look at the billing page, and at the audit log, which tells who asked for it.",
    )


def subscription_canceled(to: str, handle: str, ends_at: datetime | None) -> Mail:
    """For the owners of a workspace whose subscription was set to end."""
    last_day = f" on {moment(ends_at)}" if ends_at is not None else ""
    return mail(
        to,
        "Your subscription is canceled",
        f"The subscription of {workspace(handle)} is canceled: it ends{last_day}. Until then everything stays as it is.",
        "It can be taken back on the billing page until then.",
    )


def renewal_failed(to: str, handle: str, ends_at: datetime | None, bill: Bill | None = None) -> Mail:
    """For the owners of a workspace whose renewal could not be charged."""
    amount = f" {bill.due}" if bill is not None else ""
    return mail(
        to,
        "Your subscription could not be renewed",
        f"The card of {workspace(handle)} could not be charged{amount} for its subscription. "
        f"Everything stays as it is{until(ends_at)}.",
        "Add another card, or pay the open invoice, on the billing page. If the invoice stays unpaid, the subscription ends then, "
        "what you have is kept, and the invoice is called off.",
        link=bill.page if bill is not None else None,
    )
