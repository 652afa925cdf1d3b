"""The states of a purchase of credits: begin, allow the payment, succeed, await confirmation, fail, give up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM, Actor
from app.billing.payments import invoice_mirror
from app.billing.purchases import credit_movements
from app.billing.purchases.orders import Order
from app.billing.purchases.spend_limits import check_spend_limit
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow, PurchaseStatus
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.ids import uuid7
from app.money import Money
from app.payments.gateway_values import Checkout, ProviderInvoice
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from app.store.purchases import SeenPurchase

TOPIC = "credit_purchase"

# How long a customer has to confirm a payment with the bank.
CONFIRM_WITHIN = timedelta(minutes=30)
# After this long the reconciler checks a purchase that is not finished: longer than its calls to the provider ordinarily take.
CHECK_AFTER = timedelta(seconds=90)


# Who looks at a purchase has it checked at once, but not more often than this.
CHECK_SOON_EVERY = timedelta(seconds=5)
# A call that charges a card ordinarily has its answer after this long.
CHARGE_TAKES = timedelta(seconds=5)
# What a purchase that was paid and could not be credited says of itself.
NOT_CREDITED = "The credits could not be added to the balance. The payment goes back to the card."


class PaidOtherwise(DomainError):
    """This was paid in another currency than it was ordered in."""

    code = ErrorCode.CONFLICT


class PurchaseOvertaken(Exception):
    """While this process was preparing the payment, another one gave the purchase up."""


def next_check(row: CreditPurchaseRow, now: datetime) -> datetime:
    """When the reconciler checks an unfinished purchase next: again and again, and when the customer's time is over."""
    later = now + CHECK_AFTER
    return min(later, row.expires_at) if row.expires_at > now else later


def may_have_been_paid(row: CreditPurchaseRow | SeenPurchase, now: datetime) -> bool:
    """Whether the provider may know more of a purchase than is stored: it waits for its customer, or for an answer that is lost."""
    if row.status not in UNFINISHED or row.pay_sent_at is None:
        return False
    waits_for_customer = row.checkout_session_id is not None or row.status == PurchaseStatus.ACTION_REQUIRED
    return waits_for_customer or now >= row.pay_sent_at + CHARGE_TAKES


def may_be_checked_soon(row: CreditPurchaseRow | SeenPurchase, now: datetime) -> bool:
    """Whether `check_soon` would make a purchase due."""
    is_due_later = row.next_check_at is not None and row.next_check_at > now
    asked_at = row.check_asked_at
    return is_due_later and may_have_been_paid(row, now) and (asked_at is None or now >= asked_at + CHECK_SOON_EVERY)


async def check_soon(session: Session, keys: Sequence[tuple[UUID, UUID]]) -> None:
    """Make these purchases (workspace, id) due for the reconciler at once: somebody looks at them. Waits for no lock.

    Does so every `CHECK_SOON_EVERY` at most, for purchases that may have been paid.
    """
    for row in await purchase_store.lock_free(session, keys):
        if may_be_checked_soon(row, session.now):
            row.next_check_at = row.check_asked_at = session.now


async def begin(
    session: Session,
    workspace_id: UUID,
    order: Order,
    *,
    card_id: str | None,
    key: str,
    key_hash: bytes,
    is_auto: bool,
    actor: Actor,
) -> CreditPurchaseRow:
    """Store the purchase as PENDING, before anything is sent to the provider. Without a card it is paid on a hosted page."""
    row = CreditPurchaseRow(
        workspace_id=workspace_id,
        id=uuid7(),
        status=PurchaseStatus.PENDING,
        credits=order.credits,
        pack_code=order.pack_code,
        price_minor=order.price.minor,
        currency=order.price.currency,
        is_auto_recharge=is_auto,
        card_id=card_id,
        idempotency_key=key,
        input_hash=key_hash,
        expires_at=session.now + CONFIRM_WITHIN,
        next_check_at=session.now + CHECK_AFTER,
        refunded_minor=0,
        disputed_minor=0,
        reclaimed_credits=0,
        created_at=session.now,
        version=1,
    )
    session.add(row)
    session.outbox.hint(TOPIC, workspace_id, row.id, row.version)
    await _record(session, row, actor, "recharge.requested", "A purchase of credits was asked for.")
    return row


async def allow_payment(
    session: Session, catalog: Catalog, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> None:
    """Allow the payment to be sent, and set `pay_sent_at`: from here on only the provider knows whether the card was charged.

    The spend limit is checked with the total, tax included, while the billing account is locked, so that two purchases at once
    can't pass it together. Raises `SpendLimitReached`, `BalanceFull`, or `PurchaseOvertaken` when it was given up meanwhile.
    """
    account = await billing_account_store.lock(session, workspace_id)
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    if row.status != PurchaseStatus.PENDING or row.pay_sent_at is not None:
        raise PurchaseOvertaken
    await check_spend_limit(session, catalog, account, invoice.total_minor)
    await credit_movements.require_room(session, workspace_id, row.credits, except_for=row.id)
    row.total_minor = invoice.total_minor
    row.pay_sent_at = session.now
    row.next_check_at = session.now + CHECK_AFTER
    await invoice_mirror.mirror(session, workspace_id, invoice)


async def allow_checkout(
    session: Session,
    catalog: Catalog,
    workspace_id: UUID,
    purchase_id: UUID,
    checkout: Checkout,
    *,
    open_until: datetime,
) -> CreditPurchaseRow:
    """Allow a hosted page to be shown: from here on it counts towards the limit, and only the provider knows if it was paid.

    Raises `SpendLimitReached`, `BalanceFull`, or `PurchaseOvertaken` when the purchase was given up meanwhile, or a later one has
    opened its page.
    """
    account = await billing_account_store.lock(session, workspace_id)
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    others = await purchase_store.open_checkouts(session, workspace_id)
    if (
        row.status != PurchaseStatus.PENDING
        or row.pay_sent_at is not None
        or any(other.id > row.id for other in others)
    ):
        raise PurchaseOvertaken
    total_minor = checkout.total_minor if checkout.total_minor is not None else row.price_minor
    await check_spend_limit(session, catalog, account, total_minor)
    await credit_movements.require_room(session, workspace_id, row.credits, except_for=row.id)
    row.total_minor = total_minor
    row.pay_sent_at = session.now
    row.checkout_session_id, row.checkout_url = checkout.id, checkout.url
    row.expires_at = open_until
    row.next_check_at = next_check(row, session.now)
    mark_changed(session, row)
    return row


async def succeed(
    session: Session, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """The payment succeeded: grant the credits. Safe to call again: the credits are granted once.

    Raises what the ledger refuses the credits with, and `PaidOtherwise`: then `refuse_credits` is to be called.

    A purchase that had ended before is left as it is, since its buyer was told so: its `charged_at` stays None. Unless the seller
    says that the money came another way: that can't go back to a card, so the purchase succeeds after all.
    """
    await billing_account_store.lock(session, workspace_id)
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    await invoice_mirror.mirror(session, workspace_id, invoice)
    if row.status not in UNFINISHED and (row.charged_at is not None or not invoice.is_paid_elsewhere):
        return row
    if invoice.currency != row.currency:
        raise PaidOtherwise
    await credit_movements.grant_purchase(session, row)
    row.status = PurchaseStatus.SUCCEEDED
    row.invoice_id = invoice.id
    row.charged_at = invoice.paid_at or session.now
    row.total_minor = invoice.total_minor
    row.failure = row.decline_code = row.next_check_at = row.checkout_url = None
    mark_changed(session, row)
    await _record(session, row, SYSTEM, "recharge.succeeded", "A purchase of credits was paid.")
    return row


async def refuse_credits(
    session: Session, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """The payment succeeded and its credits can't be added: the purchase fails, and its money is to be refunded.

    It stays due until the refund is stored. Safe to call again.
    """
    await billing_account_store.lock(session, workspace_id)
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    await invoice_mirror.mirror(session, workspace_id, invoice)
    if row.status in UNFINISHED:
        row.status = PurchaseStatus.FAILED
        row.failure = NOT_CREDITED
        row.invoice_id = invoice.id
        row.total_minor = invoice.total_minor
        row.checkout_url = None
        row.next_check_at = session.now + CHECK_AFTER
        mark_changed(session, row)
        await _record(session, row, SYSTEM, "recharge.failed", "A purchase was paid and could not be credited.")
    return row


async def await_confirmation(
    session: Session, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """The bank wants the cardholder to confirm: the purchase waits for that until it expires."""
    await billing_account_store.lock(session, workspace_id)
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    await invoice_mirror.mirror(session, workspace_id, invoice)
    if row.status == PurchaseStatus.PENDING:
        row.status = PurchaseStatus.ACTION_REQUIRED
        mark_changed(session, row)
    if row.status == PurchaseStatus.ACTION_REQUIRED:
        row.next_check_at = next_check(row, session.now)
    return row


async def fail(
    session: Session,
    workspace_id: UUID,
    purchase_id: UUID,
    invoice: ProviderInvoice | None,
    *,
    reason: str,
    decline_code: str | None = None,
    status: PurchaseStatus = PurchaseStatus.FAILED,
) -> CreditPurchaseRow:
    """The purchase ended without a charge, and its invoice, None where the provider has none, can't be paid any more.

    Its idempotency key stays, so that a replay gets the same answer.
    """
    await billing_account_store.lock(session, workspace_id)
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    if invoice is not None:
        await invoice_mirror.mirror(session, workspace_id, invoice)
    elif row.invoice_id is not None:
        await invoice_mirror.call_off(session, row.invoice_id)
    if row.status in UNFINISHED:
        row.status = status
        row.failure = reason
        row.decline_code = decline_code
        row.next_check_at = row.checkout_url = None
        mark_changed(session, row)
        await _record(session, row, SYSTEM, "recharge.failed", "A purchase of credits was not paid.")
    elif row.charged_at is None:
        row.next_check_at = None
    return row


async def give_up(session: Session, workspace_id: UUID, purchase_id: UUID, *, reason: str) -> bool:
    """Give up a purchase whose payment was never sent: it fails, and its idempotency key may be used again.

    The reconciler then discards its invoice. Returns False when the payment was sent after all, or the purchase has ended.
    """
    row = await purchase_store.lock(session, workspace_id, purchase_id)
    if row.status != PurchaseStatus.PENDING or row.pay_sent_at is not None:
        return False
    row.status = PurchaseStatus.FAILED
    row.failure = reason
    row.idempotency_key = None
    row.next_check_at = session.now
    mark_changed(session, row)
    await _record(session, row, SYSTEM, "recharge.failed", "A purchase of credits was given up before it was paid.")
    return True


async def _record(session: Session, row: CreditPurchaseRow, actor: Actor, action: str, summary: str) -> None:
    price = Money(row.total_minor if row.total_minor is not None else row.price_minor, row.currency)
    after = {"purchase": str(row.id), "status": row.status, "price": str(price)}
    await audit_log.record(session, row.workspace_id, actor, action, summary, after=after)


def mark_changed(session: Session, row: CreditPurchaseRow) -> None:
    """Give a changed purchase its next version, and leave a hint for open screens."""
    row.version += 1
    session.outbox.hint(TOPIC, row.workspace_id, row.id, row.version)
