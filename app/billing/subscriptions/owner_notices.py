"""What the owners of a workspace are told by mail about its subscription and usage: once for each reason.

The mails are written by a job, since only the worker knows the key that queued mails are encrypted with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import orjson

from app.accounts.security.secrets import Keys
from app.billing.payments import invoice_mirror
from app.billing.subscriptions.plan_choice import PlanChoice, choice_as_json, described
from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionRow, SubscriptionState
from app.messages import bill_texts, message_texts, usage_texts
from app.messages.bill_texts import Bill
from app.messages.mail import Mail, queue_mail
from app.money import Money
from app.store import customers as customer_store
from app.store import invoices as invoice_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

OWNER_NOTICE: Final = "owner_notice"
"""The task that mails the owners."""


class Notice(StrEnum):
    """What the owners are told."""

    PAYMENT_FAILED = "PAYMENT_FAILED"
    ENDED_UNPAID = "ENDED_UNPAID"
    ENDED = "ENDED"
    LAST_CARD_GONE = "LAST_CARD_GONE"
    PAID_TWICE = "PAID_TWICE"
    CHANGE_LAPSED = "CHANGE_LAPSED"
    PLAN_CHANGED = "PLAN_CHANGED"
    CANCELED = "CANCELED"
    INVOICE_PAID = "INVOICE_PAID"
    SEAT_AWAITS_PAYMENT = "SEAT_AWAITS_PAYMENT"
    SEAT_NOT_BOUGHT = "SEAT_NOT_BOUGHT"
    TRIAL_ENDS_SOON = "TRIAL_ENDS_SOON"
    TRIAL_ENDED = "TRIAL_ENDED"
    PLAN_GIVEN = "PLAN_GIVEN"
    GIVEN_PLAN_ENDED = "GIVEN_PLAN_ENDED"
    PLAN_MOVED = "PLAN_MOVED"
    LIMIT_NEAR = "LIMIT_NEAR"
    LIMIT_REACHED = "LIMIT_REACHED"


async def tell(
    session: Session,
    workspace_id: UUID,
    notice: Notice,
    reason: str,
    *,
    until: datetime | None = None,
    page: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Have the owners mailed, unless they were for this reason. `until` and `page` are the time and the address that the mail
    names, if it names any.

    `facts` are what else it says: they lie in the queue as they are, so none of them is about a person.
    """
    if await subscription_store.first_notice(session, workspace_id, f"{notice}:{reason}"):
        tell_at_once(session, workspace_id, notice, until=until, page=page, facts=facts)


def tell_at_once(
    session: Session,
    workspace_id: UUID,
    notice: Notice,
    *,
    until: datetime | None = None,
    page: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """As `tell`, for who knows that the owners were not told yet, and notes in this unit that they are."""
    arguments = {"workspace_id": str(workspace_id), "notice": notice.value, **(facts or {})}
    named = {"until": until.isoformat() if until is not None else None, "page": page}
    session.outbox.enqueue(OWNER_NOTICE, arguments | {name: text for name, text in named.items() if text is not None})


async def tell_of_unpaid(session: Session, row: SubscriptionRow, invoice_id: str | None) -> None:
    """Tell that a renewal could not be charged, and until when access lasts; `invoice_id` is the provider's."""
    if row.status == SubscriptionState.PAST_DUE and row.grace_ends_at is not None:
        reason = invoice_id or str(row.provider_id)
        facts = {"invoice": invoice_id} if invoice_id is not None else None
        await tell(session, row.workspace_id, Notice.PAYMENT_FAILED, reason, until=row.grace_ends_at, facts=facts)


async def tell_of_end(session: Session, row: SubscriptionRow, *, was_unpaid: bool) -> None:
    """Tell that the paid subscription has ended, and why."""
    notice = Notice.ENDED_UNPAID if was_unpaid else Notice.ENDED
    await tell(session, row.workspace_id, notice, str(row.provider_id))


async def tell_of_change(
    session: Session, row: SubscriptionRow, before: PlanChoice | None, now: PlanChoice, change_id: str | None
) -> None:
    """Tell that the workspace has another plan, other seats or add-ons than `before`; None: it had nothing paid.

    What it has is the reason, within a period and after a change: a mirror that was fetched earlier and written later tells
    nothing.
    """
    has = orjson.dumps(choice_as_json(now), option=orjson.OPT_SORT_KEYS).decode()
    reason = f"{row.provider_id}:{change_id or ''}:{row.period_start}:{has}"
    if before is None or before == now:
        await subscription_store.first_notice(session, row.workspace_id, f"{Notice.PLAN_CHANGED}:{reason}")
        return
    facts = {"before": described(before), "now": described(now)}
    await tell(session, row.workspace_id, Notice.PLAN_CHANGED, reason, facts=facts)


async def tell_of_cancellation(session: Session, row: SubscriptionRow, canceled_at: datetime | None) -> None:
    """Tell that the subscription was canceled, and until when it goes on: once for each time that somebody cancels it."""
    reason = f"{row.provider_id}:{canceled_at or row.ends_at}"
    await tell(session, row.workspace_id, Notice.CANCELED, reason, until=row.ends_at)


async def tell_of_paid(session: Session, arguments: Mapping[str, str]) -> None:
    """The job `INVOICE_PAID`: tell that an invoice was paid, once for each invoice."""
    invoice = await invoice_store.find(session, UUID(arguments["workspace_id"]), UUID(arguments["invoice_id"]))
    if invoice is not None:
        facts = {"invoice": invoice.provider_id}
        await tell(session, invoice.workspace_id, Notice.INVOICE_PAID, invoice.provider_id, facts=facts)


async def mail_owners(session: Session, keys: Keys, arguments: Mapping[str, str]) -> None:
    """The job `OWNER_NOTICE`: queue the mail for each owner with a verified address."""
    workspace_id, notice = UUID(arguments["workspace_id"]), Notice(arguments["notice"])
    workspace = await workspace_store.get(session, workspace_id)
    if workspace is None:
        return
    until = datetime.fromisoformat(arguments["until"]) if "until" in arguments else None
    bill = await _bill(session, arguments.get("invoice"))
    for user_id, address in await customer_store.owners_to_tell(session, workspace_id):
        mail = _mail(notice, address, workspace.handle, until, arguments, bill)
        queue_mail(session, mail, keys.mail, about=user_id)


async def _bill(session: Session, provider_id: str | None) -> Bill | None:
    """The invoice that a notice is about, as its mail tells it; None where there is none, or it was not mirrored yet."""
    row = await invoice_store.with_provider_id(session, provider_id) if provider_id is not None else None
    if row is None:
        return None
    credit_minor = invoice_mirror.credit_applied_minor(row)
    return Bill(
        number=row.number,
        total=str(Money(row.total_minor, row.currency)),
        paid_by_credit=str(Money(credit_minor, row.currency)) if credit_minor else None,
        due=str(Money(invoice_mirror.due_minor(row), row.currency)),
        page=row.hosted_url,
    )


def _mail(
    notice: Notice, to: str, handle: str, until: datetime | None, facts: Mapping[str, str], bill: Bill | None
) -> Mail:
    match notice:
        case Notice.PLAN_CHANGED:
            return bill_texts.plan_changed(to, handle, before=facts["before"], now=facts["now"])
        case Notice.CANCELED:
            return bill_texts.subscription_canceled(to, handle, until)
        case Notice.INVOICE_PAID:
            return bill_texts.invoice_paid(to, handle, bill or Bill(None, "", None, "", None))
        case Notice.PAYMENT_FAILED:
            return bill_texts.renewal_failed(to, handle, until, bill)
        case Notice.ENDED_UNPAID:
            return message_texts.ended_unpaid(to, handle)
        case Notice.ENDED:
            return message_texts.subscription_ended(to, handle)
        case Notice.LAST_CARD_GONE:
            return message_texts.last_card_gone(to, handle)
        case Notice.PAID_TWICE:
            return message_texts.paid_twice(to, handle)
        case Notice.CHANGE_LAPSED:
            return message_texts.change_lapsed(to, handle)
        case Notice.SEAT_AWAITS_PAYMENT:
            return message_texts.seat_awaits_payment(to, handle, until, facts.get("page"))
        case Notice.SEAT_NOT_BOUGHT:
            return message_texts.seat_not_bought(to, handle)
        case Notice.TRIAL_ENDS_SOON:
            return message_texts.trial_ends_soon(to, handle, until)
        case Notice.TRIAL_ENDED:
            return message_texts.trial_ended(to, handle)
        case Notice.PLAN_GIVEN:
            return message_texts.plan_given(to, handle, until)
        case Notice.GIVEN_PLAN_ENDED:
            return message_texts.given_plan_ended(to, handle)
        case Notice.PLAN_MOVED:
            return message_texts.plan_moved(to, handle, facts["plan"], facts.get("refund"))
        case Notice.LIMIT_NEAR:
            return usage_texts.limit_near(to, handle, until, facts)
        case Notice.LIMIT_REACHED:
            return usage_texts.limit_reached(to, handle, until, facts)
