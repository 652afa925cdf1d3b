"""Workspaces as the payment provider knows them, and their cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.payments import BillingAccountRow, CardRow
from app.db.tables.people import EmailRow
from app.db.tables.workspaces import MembershipRow


class Account(NamedTuple):
    """What is read of a billing account: the version of its cards, and the monthly limit that an operator set, if one did."""

    workspace_id: UUID
    cards_version: int
    monthly_spend_limit_minor: int | None


class Card(NamedTuple):
    """A card on file."""

    workspace_id: UUID
    id: UUID
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


_CARD: Final = ", ".join(f"c.{name}" for name in Card._fields)

ACCOUNTS: Final = KeyedRead[UUID, Account](
    "billing_accounts",
    "SELECT workspace_id, cards_version, monthly_spend_limit_minor FROM billing_accounts WHERE workspace_id = ANY ($1::uuid[])",
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


async def of_customer(session: Session, customer_id: str) -> BillingAccountRow | None:
    """The billing account of a customer of the provider's."""
    found = select(BillingAccountRow).where(BillingAccountRow.customer_id == customer_id)
    return (await session.scalars(found)).one_or_none()


async def cards(session: Session, workspace_id: UUID) -> Sequence[CardRow]:
    """The workspace's cards: the default one first, then the oldest."""
    found = select(CardRow).where(CardRow.workspace_id == workspace_id)
    return (await session.scalars(found.order_by(CardRow.is_default.desc(), CardRow.created_at, CardRow.id))).all()


async def card(session: Session, workspace_id: UUID, card_id: UUID) -> CardRow | None:
    """One card of the workspace."""
    return await session.get(CardRow, (workspace_id, card_id))


async def card_with_provider_id(session: Session, provider_id: str) -> CardRow | None:
    """The mirrored card, whosever it is."""
    return (await session.scalars(select(CardRow).where(CardRow.provider_id == provider_id))).one_or_none()


async def contact_address(session: Session, workspace_id: UUID) -> str | None:
    """Where invoices are mailed: the primary address of the workspace's longest-standing owner."""
    found = (
        select(EmailRow.address)
        .join(MembershipRow, MembershipRow.user_id == EmailRow.user_id)
        .where(MembershipRow.workspace_id == workspace_id, MembershipRow.role == "OWNER", EmailRow.is_primary)
        .order_by(MembershipRow.joined_at, MembershipRow.user_id)
        .limit(1)
    )
    return (await session.scalars(found)).one_or_none()
