"""Workspaces as the payment provider knows them, and their cards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.payments import BillingAccountRow, CardRow, FormerCustomerRow, InvoicePaymentRow, InvoiceRow
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow

# as long as a cardholder has to confirm a payment with the bank
_PAYMENT_TAKES: Final = timedelta(minutes=30)


class Account(NamedTuple):
    """What is read of a billing account; see `BillingAccountRow`."""

    workspace_id: UUID
    cards_version: int
    monthly_spend_limit_minor: int | None
    cards_check_at: datetime | None
    cards_check_asked_at: datetime | None


class Card(NamedTuple):
    """A card on file."""

    workspace_id: UUID
    id: UUID
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


_ACCOUNT: Final = ", ".join(Account._fields)
_CARD: Final = ", ".join(f"c.{name}" for name in Card._fields)

ACCOUNTS: Final = KeyedRead[UUID, Account](
    "billing_accounts",
    f"SELECT {_ACCOUNT} FROM billing_accounts WHERE workspace_id = ANY ($1::uuid[])",
    Account,
    lambda account: account.workspace_id,
)
"""Billing accounts by workspace, of those to which anything was ever about to be charged."""

CARDS_OF_WORKSPACES: Final = KeyedRead[UUID, Card](
    "cards_of_workspaces",
    f"SELECT {_CARD} FROM cards c WHERE c.workspace_id = ANY ($1::uuid[]) ORDER BY c.is_default DESC, c.created_at, c.id",
    Card,
    lambda card: card.workspace_id,
)
"""The cards of workspaces: the default one first, then the oldest."""

CARDS: Final = KeyedRead[tuple[UUID, UUID], Card](
    "cards",
    f"SELECT {_CARD} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN cards c ON c.workspace_id = k.workspace_id AND c.id = k.id",
    Card,
    lambda card: (card.workspace_id, card.id),
)
"""Cards by (workspace, id)."""


async def lock(session: Session, workspace_id: UUID) -> BillingAccountRow:
    """The workspace's billing account, made if there is none, locked until the unit ends: whoever charges waits here."""
    await session.execute(
        insert(BillingAccountRow)
        .values(workspace_id=workspace_id, cards_version=0, created_at=session.now)
        .on_conflict_do_nothing(index_elements=["workspace_id"])
    )
    found = select(BillingAccountRow).where(BillingAccountRow.workspace_id == workspace_id)
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one()


async def find(session: Session, workspace_id: UUID) -> BillingAccountRow | None:
    """The workspace's billing account, if anything was ever about to be charged to it."""
    return await session.get(BillingAccountRow, workspace_id)


async def lock_free(session: Session, workspace_id: UUID) -> BillingAccountRow | None:
    """The workspace's billing account, locked until the unit ends; None where there is none, or somebody else has locked it."""
    found = select(BillingAccountRow).where(BillingAccountRow.workspace_id == workspace_id)
    found = found.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return (await session.scalars(found)).one_or_none()


async def of_card_page(session: Session, page_id: str) -> BillingAccountRow | None:
    """The billing account whose newest page to save a card on is this one."""
    return (await session.scalars(select(BillingAccountRow).where(BillingAccountRow.card_page_id == page_id))).first()


async def cards_due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose cards are to be checked by now, the longest due first."""
    due = select(BillingAccountRow.workspace_id).where(BillingAccountRow.cards_check_at <= session.now)
    return (await session.scalars(due.order_by(BillingAccountRow.cards_check_at).limit(limit))).all()


async def next_cards_check_at(session: Session) -> datetime | None:
    """When the next workspace's cards are to be checked; None when there is none."""
    return await session.scalar(select(func.min(BillingAccountRow.cards_check_at)))


async def of_customer(session: Session, customer_id: str) -> BillingAccountRow | None:
    """The billing account that a customer of the provider's is of, or was of before the customer was deleted there."""
    former = select(FormerCustomerRow.workspace_id).where(FormerCustomerRow.customer_id == customer_id)
    is_theirs = (BillingAccountRow.customer_id == customer_id) | BillingAccountRow.workspace_id.in_(former)
    return (await session.scalars(select(BillingAccountRow).where(is_theirs))).one_or_none()


async def cards(session: Session, workspace_id: UUID) -> Sequence[CardRow]:
    """The workspace's cards: the default one first, then the oldest."""
    found = select(CardRow).where(CardRow.workspace_id == workspace_id)
    return (await session.scalars(found.order_by(CardRow.is_default.desc(), CardRow.created_at, CardRow.id))).all()


async def card(session: Session, workspace_id: UUID, card_id: UUID) -> CardRow | None:
    """One card of the workspace."""
    return await session.get(CardRow, (workspace_id, card_id))


async def cards_being_charged(session: Session, workspace_id: UUID) -> set[str]:
    """The provider's ids of the cards with which a purchase is unfinished, or an open invoice was tried to be paid a moment ago."""
    buying = select(CreditPurchaseRow.card_id).where(
        CreditPurchaseRow.workspace_id == workspace_id,
        CreditPurchaseRow.status.in_(UNFINISHED),
        CreditPurchaseRow.card_id.is_not(None),
    )
    paying = (
        select(InvoicePaymentRow.card_id)
        .join(InvoiceRow, InvoiceRow.id == InvoicePaymentRow.invoice_id)
        .where(
            InvoicePaymentRow.workspace_id == workspace_id,
            InvoicePaymentRow.created_at > session.now - _PAYMENT_TAKES,
            InvoiceRow.workspace_id == workspace_id,
            InvoiceRow.status == "OPEN",
        )
    )
    found = {*(await session.scalars(buying)), *(await session.scalars(paying))}
    return {card_id for card_id in found if card_id is not None}


async def has_card_twice(session: Session, workspace_id: UUID) -> bool:
    """Whether a card that was saved again still stands beside it."""
    of_one = select(CardRow.fingerprint).where(CardRow.workspace_id == workspace_id, CardRow.fingerprint.is_not(None))
    twice = of_one.group_by(CardRow.fingerprint).having(func.count() > 1).limit(1)
    return await session.scalar(twice) is not None


async def card_with_provider_id(session: Session, provider_id: str) -> CardRow | None:
    """The mirrored card, whosever it is."""
    return (await session.scalars(select(CardRow).where(CardRow.provider_id == provider_id))).one_or_none()
