"""Returned money: the refunds requested here, and what refunds and disputes do to a purchase, its invoice and its credits.

Nothing here follows single events. Each time, the provider's present state of the payment is compared with what is stored, and the
difference is applied. So the result is the same whichever events came, how often and in which order.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import OPERATOR, SYSTEM
from app.billing.moves import plan_refunds
from app.billing.payments import invoice_mirror
from app.billing.purchases import credit_movements, purchase_states
from app.db.engine import Session
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow, PurchaseStatus, RefundRow, RefundState
from app.error_codes import ErrorCode
from app.errors import Conflict, DomainError
from app.ids import uuid7
from app.money import Money
from app.payments.gateway_values import ReturnedMoney
from app.store import billing_accounts as billing_account_store
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store
from app.store import refunds as refund_store
from app.store.refunds import InvoiceToCheck

# The provider may forget an idempotency key after 24 hours: from then on the same refund could be made twice.
SEND_WITHIN: Final = timedelta(hours=23)

_MAX_REASON_CHARACTERS: Final = 500


class NotRefundable(DomainError):
    """This purchase can't be refunded."""

    code = ErrorCode.INVALID_INPUT


class ReturnedMoneyOvertaken(Exception):
    """Another check of the invoice's returned money was stored meanwhile, and may have seen something newer: check again."""


class PurchaseUnfinished(Exception):
    """Money was returned of a purchase that is not finished yet: check again once it is."""


async def request_refund(
    session: Session,
    checked: InvoiceToCheck,
    invoice_id: str,
    returned: ReturnedMoney,
    *,
    amount_minor: int | None,
    reason: str | None,
    by_operator: bool,
) -> RefundRow:
    """Store a refund of `amount_minor`, or of all that is left, before it is sent to the provider.

    `returned` is what the check `checked` found for the purchase's invoice. A refund of the same amount that was stored before and
    never reached the provider is returned instead, so that asking again after a crash refunds once. After a refund that the bank
    returned only an operator may ask for another. Raises `NotRefundable`, `Conflict` while a refund of another amount is under way,
    and `ReturnedMoneyOvertaken` when there was a newer check.
    """
    await billing_account_store.lock(session, checked.workspace_id)
    assert checked.purchase_id is not None
    purchase = await purchase_store.lock(session, checked.workspace_id, checked.purchase_id)
    await _lock_if_newest(session, checked, invoice_id)
    amount = Money(returned.left_minor if amount_minor is None else amount_minor, purchase.currency)
    _check_refundable(amount, returned)
    if not by_operator and await refund_store.was_returned(session, purchase.workspace_id, purchase.id):
        raise NotRefundable("A refund of this purchase was returned by the bank: only an operator can refund it again.")
    if purchase.status not in UNFINISHED:
        # what is left to do is the refund's, which is due by itself
        purchase.next_check_at = None
    for earlier in await refund_store.lock_unfailed(session, purchase.workspace_id, purchase.id):
        if earlier.status != RefundState.REQUESTED:
            continue
        if earlier.amount_minor != amount.minor:
            under_way = Money(earlier.amount_minor, purchase.currency)
            raise Conflict(f"A refund of {under_way} is on its way; try again when it has ended.")
        return earlier
    row = RefundRow(
        workspace_id=purchase.workspace_id,
        id=uuid7(),
        purchase_id=purchase.id,
        payment_id=returned.payment_id,
        amount_minor=amount.minor,
        reason=reason[:_MAX_REASON_CHARACTERS] if reason else None,
        status=RefundState.REQUESTED,
        next_check_at=session.now + purchase_states.CHECK_AFTER,
        created_at=session.now,
    )
    session.add(row)
    if by_operator:
        after = {"purchase": str(purchase.id), "refund": str(row.id), "amount": str(amount)}
        summary = f"An operator asked for a refund of {amount}."
        await audit_log.record(session, row.workspace_id, OPERATOR, "purchase.refund_requested", summary, after=after)
    return row


def _check_refundable(amount: Money, returned: ReturnedMoney) -> None:
    left = Money(returned.left_minor, amount.currency)
    if returned.disputed_minor:
        raise NotRefundable("The cardholder disputes this payment: the bank decides where its money goes.")
    if left.minor <= 0:
        raise NotRefundable("This purchase was refunded in full already.")
    if not 0 < amount.minor <= left.minor:
        raise NotRefundable(
            f"At most {left} of this purchase can still be refunded, and the amount must be above zero."
        )


async def fail_refund(
    session: Session, workspace_id: UUID, purchase_id: UUID, refund_id: UUID, *, failure: str
) -> None:
    """The refund was not made and will not be: the provider refused it, or it could not be sent in time."""
    for row in await refund_store.lock_unfailed(session, workspace_id, purchase_id):
        if row.id == refund_id and row.status == RefundState.REQUESTED:
            row.status, row.failure, row.next_check_at = RefundState.FAILED, failure, None


async def check_later(session: Session, workspace_id: UUID, purchase_id: UUID, refund_id: UUID) -> None:
    """Leave the refund as it is for now, and have the worker check it later: the provider can't be reached."""
    for row in await refund_store.lock_unfailed(session, workspace_id, purchase_id):
        if row.id == refund_id and row.next_check_at is not None:
            row.next_check_at = session.now + purchase_states.CHECK_AFTER


async def note_late_payment(
    session: Session, purchase: CreditPurchaseRow, invoice_id: str, *, failure: str
) -> str | None:
    """Note on a purchase that was paid after it had ended why this is refunded; None when it was not too late after all.

    Returns what it says of itself: `failure`, unless it failed because its credits could not be added. It is due until the refund
    is stored, so that a refund is not forgotten where the process dies in between.
    """
    await billing_account_store.lock(session, purchase.workspace_id)
    row = await purchase_store.lock(session, purchase.workspace_id, purchase.id)
    if row.status in UNFINISHED or row.charged_at is not None:
        return None
    if row.failure == purchase_states.NOT_CREDITED:
        failure = row.failure
    row.next_check_at = session.now + purchase_states.CHECK_AFTER
    if (row.failure, row.invoice_id) != (failure, invoice_id):
        row.failure, row.invoice_id = failure, invoice_id
        purchase_states.mark_changed(session, row)
    return failure


async def end_late_payment(session: Session, workspace_id: UUID, purchase_id: UUID) -> None:
    """Nothing of the late payment can be refunded: it is no longer due."""
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    if row.status not in UNFINISHED:
        row.next_check_at = None


async def apply_returned_money(
    session: Session, checked: InvoiceToCheck, invoice_id: str, returned: ReturnedMoney
) -> None:
    """Bring invoice, purchase, credits and refunds in line with the money returned by now, posting only the difference.

    `returned` was fetched after `checked` was read. The credits clawed back in all are returned ÷ total × credits, rounded down,
    with everything returned so far: so partial refunds take together what one full refund takes, and never more than was granted.
    Raises `ReturnedMoneyOvertaken` when there was a newer check, `PurchaseUnfinished` while the purchase is not finished.
    """
    await billing_account_store.lock(session, checked.workspace_id)
    purchase = None
    if checked.purchase_id and await purchase_store.find(session, checked.workspace_id, checked.purchase_id):
        purchase = await purchase_store.lock(session, checked.workspace_id, checked.purchase_id)
    row = await _lock_if_newest(session, checked, invoice_id)
    row.money_checks += 1
    invoice_mirror.show_refunded(session, row, returned.refunded_minor)
    if purchase is None:
        await plan_refunds.note_returned(session, checked.workspace_id, returned.refunds)
        return
    if purchase.status in UNFINISHED:
        raise PurchaseUnfinished
    await _update_requested_refunds(session, purchase, returned)
    was = (purchase.refunded_minor, purchase.disputed_minor, purchase.lost_minor)
    if was == (returned.refunded_minor, returned.disputed_minor, returned.lost_minor):
        return
    await _record(session, purchase, returned)
    if purchase.charged_at is not None:
        await _reclaim_credits(session, purchase, returned)
    purchase.refunded_minor = returned.refunded_minor
    purchase.disputed_minor = returned.disputed_minor
    purchase.lost_minor = returned.lost_minor
    purchase_states.mark_changed(session, purchase)


async def _lock_if_newest(session: Session, checked: InvoiceToCheck, invoice_id: str) -> InvoiceRow:
    """The mirrored invoice, locked; raises `ReturnedMoneyOvertaken` when there was a newer check (a version check)."""
    row = await invoice_store.lock_with_provider_id(session, invoice_id)
    if row is None or row.money_checks != checked.checks:
        raise ReturnedMoneyOvertaken
    return row


async def _reclaim_credits(session: Session, purchase: CreditPurchaseRow, returned: ReturnedMoney) -> None:
    """Claw back the credits whose money was returned, or reinstate credits whose money came again; set the purchase's status."""
    total_minor = purchase.total_minor or purchase.price_minor
    returned_minor = min(returned.refunded_minor + returned.disputed_minor, total_minor)
    target = steps_to_claw_back(purchase.credits, returned_minor=returned_minor, total_minor=total_minor, already=0)
    if returned.disputed_minor != purchase.disputed_minor:
        description = "Dispute" if target > purchase.reclaimed_credits else "Dispute won"
    else:
        description = "Refund" if target > purchase.reclaimed_credits else "Refund returned by the bank"
    await credit_movements.reclaim(session, purchase, target, description=description)
    if returned.disputed_minor:
        # a lost dispute keeps the status DISPUTED: it tells best where the money went
        purchase.status = PurchaseStatus.DISPUTED
    else:
        purchase.status = PurchaseStatus.REFUNDED if returned_minor == total_minor else PurchaseStatus.SUCCEEDED


async def _update_requested_refunds(session: Session, purchase: CreditPurchaseRow, returned: ReturnedMoney) -> None:
    """Update the refunds requested here to what the provider has."""
    known = {refund.refund_id: refund for refund in returned.refunds if refund.refund_id is not None}
    for row in await refund_store.lock_unfailed(session, purchase.workspace_id, purchase.id):
        refund = known.get(str(row.id))
        if refund is not None:
            row.status, row.provider_id, row.failure = RefundState(refund.status), refund.id, refund.failure
            row.next_check_at = None


async def _record(session: Session, purchase: CreditPurchaseRow, returned: ReturnedMoney) -> None:
    """Write to the audit log how much was refunded, disputed and lost, an event for each that changed."""
    changes = (
        ("refunded", purchase.refunded_minor, returned.refunded_minor),
        ("disputed", purchase.disputed_minor, returned.disputed_minor),
        ("lost", purchase.lost_minor, returned.lost_minor),
    )
    for name, before, after in changes:
        entry = _AUDIT_ENTRIES.get((name, after > before)) if after != before else None
        if entry is not None:
            action, summary = entry
            await audit_log.record(
                session,
                purchase.workspace_id,
                SYSTEM,
                action,
                summary,
                before={name: str(Money(before, purchase.currency))},
                after={name: str(Money(after, purchase.currency)), "purchase": str(purchase.id)},
            )


_AUDIT_ENTRIES: Final = {
    ("refunded", True): ("purchase.refunded", "A purchase of credits was refunded."),
    ("refunded", False): ("purchase.refund_failed", "The bank returned a refund of a purchase of credits."),
    ("disputed", True): ("purchase.disputed", "The cardholder disputed a purchase of credits."),
    ("disputed", False): ("purchase.dispute_won", "The bank decided a dispute against the cardholder."),
    ("lost", True): ("purchase.dispute_lost", "The bank decided a dispute for the cardholder."),
}
"""What the audit log says (action, summary) when one of these amounts has risen (True) or fallen (False)."""


def steps_to_claw_back(granted: int, *, returned_minor: int, total_minor: int, already: int) -> int:
    """How many steps a refund or dispute takes back: returned ÷ total × granted, rounded down, less what was `already` taken.

    `returned_minor` is all the money returned so far, so that several partial refunds together take exactly what one would.
    """
    if total_minor <= 0 or not 0 <= returned_minor <= total_minor:
        raise ValueError("what is returned is part of a total above zero")
    return max(granted * returned_minor // total_minor - already, 0)
