"""Buying credits: what may be bought, and what each outcome of the payment does to the purchase."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.billing import credits, invoices
from app.catalog import Catalog, pack_price
from app.db.engine import Session
from app.db.tables.payments import UNSETTLED, BillingAccountRow, CreditPurchaseRow, PurchaseStatus
from app.errors import DomainError, ErrorCode, InvalidInput
from app.ids import uuid7
from app.money import Money
from app.payments.values import ProviderInvoice
from app.store import billing_accounts, purchases

TOPIC = "credit_purchase"

# How long a customer has to confirm a payment with the bank.
CONFIRM_WITHIN = timedelta(minutes=30)
# After this long a purchase that nobody finished is looked into: longer than its calls to the provider ordinarily take.
LOOK_AFTER = timedelta(seconds=90)


class SpendLimitReached(DomainError):
    """This would pass the plan's limit of what may be spent on credits in a month."""

    code = ErrorCode.SPEND_LIMIT_REACHED


class PaymentPending(DomainError):
    """The payment is under way. Watch the purchase, or ask again with the same idempotency key."""

    code = ErrorCode.PAYMENT_PENDING


class PaymentUnavailable(DomainError):
    """The payment provider can't be reached. Nothing was charged; try again."""

    code = ErrorCode.PAYMENT_UNAVAILABLE


class PurchaseOvertaken(Exception):
    """While this process was preparing the payment, another one gave the purchase up."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is bought: `credits` in the unit's smallest step, for `price` before tax where tax comes on top.

    `price_key` is the lookup key of the pack's price, None for a custom amount.
    """

    credits: int
    price: Money
    pack_code: str | None
    description: str
    product_id: str
    price_key: str | None


def custom_product_id(catalog: Catalog) -> str:
    """The id of the provider's product under which custom amounts of credits are sold."""
    return f"{catalog.code}-credits"


def order(catalog: Catalog, *, pack_code: str | None, amount: Decimal | None) -> Order:
    """The order for a pack or for an amount of money; raises `InvalidInput` unless it is exactly one that the catalog sells."""
    if (pack_code is None) == (amount is None):
        raise InvalidInput("Give exactly one of packCode and amount.", path=("input",))
    if amount is not None:
        price = Money.of(amount, catalog.currency, path=("input", "amount"))
        steps = catalog.credits_for(price)
        description = f"{catalog.credit_unit.from_steps(steps)} {catalog.credit_unit.name} of credits"
        return Order(steps, price, None, description, custom_product_id(catalog), None)
    pack = catalog.pack(pack_code or "")
    if pack is None:
        sold = ", ".join(each.code for each in catalog.packs)
        raise InvalidInput(
            f"There is no such pack. Choose one of: {sold}." if sold else "Credits are sold by amount here.",
            path=("input", "packCode"),
        )
    price = pack_price(catalog, pack)
    description = f"{pack.name}: {catalog.credit_unit.from_steps(pack.credits)} {catalog.credit_unit.name}"
    return Order(pack.credits, pack.price, pack.code, description, price.product, price.lookup_key)


def input_hash(*parts: object) -> bytes:
    """What an idempotency key is bound to: the same input has the same hash."""
    return hashlib.sha256(repr(parts).encode()).digest()


async def begin(
    session: Session, workspace_id: UUID, order: Order, *, card_id: str, key: str, key_hash: bytes, is_auto: bool
) -> CreditPurchaseRow:
    """Write the purchase down as pending, before anything is sent."""
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
        next_look_at=session.now + LOOK_AFTER,
        refunded_minor=0,
        disputed_minor=0,
        reclaimed_credits=0,
        created_at=session.now,
        version=1,
    )
    session.add(row)
    session.outbox.hint(TOPIC, workspace_id, row.id, row.version)
    return row


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The calendar month (UTC) that `moment` lies in: its start, and the next one's."""
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)


def spend_limit(catalog: Catalog, account: BillingAccountRow | None) -> Money | None:
    """The most that may be charged for credits in a month: an operator's word, else the plan's."""
    if account is not None and account.monthly_spend_limit_minor is not None:
        return Money(account.monthly_spend_limit_minor, catalog.currency)
    return catalog.fallback_plan.monthly_spend_limit


async def check_spend_limit(session: Session, catalog: Catalog, account: BillingAccountRow, amount_minor: int) -> None:
    """Raise `SpendLimitReached` if charging `amount_minor` more this month would pass the limit. `account` is locked."""
    limit = spend_limit(catalog, account)
    if limit is None:
        return
    since, until = month_of(session.now)
    spent = await purchases.charged_minor(session, account.workspace_id, since=since, until=until)
    if spent + amount_minor > limit.minor:
        left = Money(max(0, limit.minor - spent), limit.currency)
        raise SpendLimitReached(
            f"At most {limit.amount} {limit.currency} may be spent on credits a month; {left.amount} of it is left, tax included."
        )


async def admit(
    session: Session, catalog: Catalog, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> None:
    """Allow the payment to be sent, and note that it is: from here on only the provider knows whether it happened.

    The limit is checked with the total, tax included, in the order of the lock, so that two purchases can't pass it together.
    Raises `SpendLimitReached`, or `PurchaseOvertaken` when the purchase was given up meanwhile.
    """
    account = await billing_accounts.lock(session, workspace_id)
    row = await purchases.lock(session, workspace_id, purchase_id)
    if row.status != PurchaseStatus.PENDING or row.pay_sent_at is not None:
        raise PurchaseOvertaken
    await check_spend_limit(session, catalog, account, invoice.total_minor)
    row.total_minor = invoice.total_minor
    row.pay_sent_at = session.now
    row.next_look_at = session.now + LOOK_AFTER
    await invoices.mirror(session, workspace_id, invoice)


async def settle(
    session: Session, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """The payment succeeded: grant the credits, once, whoever says so and however often."""
    await billing_accounts.lock(session, workspace_id)
    row = await purchases.lock(session, workspace_id, purchase_id)
    await invoices.mirror(session, workspace_id, invoice)
    if row.charged_at is not None:
        return row
    await credits.grant_purchase(session, row)
    row.status = PurchaseStatus.SUCCEEDED
    row.charged_at = invoice.paid_at or session.now
    row.total_minor = invoice.total_minor
    row.failure = row.decline_code = row.next_look_at = None
    _changed(session, row)
    return row


async def await_confirmation(
    session: Session, workspace_id: UUID, purchase_id: UUID, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """The bank wants the cardholder: the purchase waits until it lapses."""
    await billing_accounts.lock(session, workspace_id)
    row = await purchases.lock(session, workspace_id, purchase_id)
    await invoices.mirror(session, workspace_id, invoice)
    if row.status == PurchaseStatus.PENDING:
        row.status = PurchaseStatus.ACTION_REQUIRED
        row.next_look_at = row.expires_at
        _changed(session, row)
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
    """The purchase ended without a charge, and its invoice can't be paid any more. Its key stays: a replay answers the same."""
    await billing_accounts.lock(session, workspace_id)
    row = await purchases.lock(session, workspace_id, purchase_id)
    if invoice is not None:
        await invoices.mirror(session, workspace_id, invoice)
    if row.status in UNSETTLED:
        row.status = status
        row.failure = reason
        row.decline_code = decline_code
        row.next_look_at = None
        _changed(session, row)
    elif row.charged_at is None:
        row.next_look_at = None
    return row


async def abandon(session: Session, workspace_id: UUID, purchase_id: UUID, *, reason: str) -> bool:
    """Give up a purchase whose payment was never sent: it fails, its key is free again, its invoice is to be discarded.

    False when the payment was sent after all, or the purchase has ended.
    """
    row = await purchases.lock(session, workspace_id, purchase_id)
    if row.status != PurchaseStatus.PENDING or row.pay_sent_at is not None:
        return False
    row.status = PurchaseStatus.FAILED
    row.failure = reason
    row.idempotency_key = None
    row.next_look_at = session.now
    _changed(session, row)
    return True


def _changed(session: Session, row: CreditPurchaseRow) -> None:
    row.version += 1
    session.outbox.hint(TOPIC, row.workspace_id, row.id, row.version)
