"""The mirror of the provider's cards of a workspace, and which of them is charged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.db.engine import Session
from app.db.tables.payments import BillingAccountRow, CardRow
from app.error_codes import ErrorCode
from app.errors import DomainError, NotFound
from app.ids import uuid7
from app.payments.gateway_values import Card, Wallet
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store
from app.store.billing_accounts import Account

TOPIC = "payment_methods"
DEFAULT_CARD_CHANGED: Final = "default_card_changed"
"""The task that lets the subscription be charged to another default card, and pays with it what is overdue."""

# While a form to save a card is open, the worker asks for the cards this often: the event that one was saved may be lost.
CHECK_EVERY: Final = timedelta(seconds=90)
# Who looks at the cards meanwhile has them checked at once, but not more often than this.
CHECK_SOON_EVERY: Final = timedelta(seconds=5)


class PaymentMethodRequired(DomainError):
    """There is no card to charge: add one first."""

    code = ErrorCode.PAYMENT_METHOD_REQUIRED


async def card_to_charge(session: Session, workspace_id: UUID, card_id: UUID | None) -> CardRow:
    """The named card, or the default one.

    Raises `NotFound` for a card that isn't the workspace's, `PaymentMethodRequired` when it has none.
    """
    if card_id is not None:
        named = await billing_account_store.card(session, workspace_id, card_id)
        if named is None:
            raise NotFound("There is no such payment method.")
        return named
    cards = await billing_account_store.cards(session, workspace_id)
    if not cards:
        raise PaymentMethodRequired
    return cards[0]


@dataclass(frozen=True, slots=True)
class CardsToKeep:
    """What is left of a wallet without the cards that were saved again, and the ids of those."""

    wallet: Wallet
    replaced: tuple[str, ...]


async def without_replaced(session: Session, workspace_id: UUID, wallet: Wallet) -> CardsToKeep:
    """The wallet in which a card that was saved again stands once, as it was saved last, and is the default if an older one was.

    An older one stays while a charge is under way with it. The billing account must be locked, so that none begins before the
    mirror is written.
    """
    charging = await billing_account_store.cards_being_charged(session, workspace_id)
    newest = {card.fingerprint: card.id for card in wallet.cards if card.fingerprint is not None}
    replaced = {
        card.id: newest[card.fingerprint]
        for card in wallet.cards
        if card.fingerprint is not None and newest[card.fingerprint] != card.id and card.id not in charging
    }
    default = wallet.default_card_id
    kept = tuple(card for card in wallet.cards if card.id not in replaced)
    return CardsToKeep(Wallet(kept, replaced.get(default, default) if default else None), tuple(replaced))


async def mirror(session: Session, workspace_id: UUID, wallet: Wallet, *, replaced: Collection[str] = ()) -> bool:
    """Bring the mirrored cards in line with the provider's, and leave a hint for open screens; returns whether anything changed.

    `replaced` are the provider's ids of cards that are not in the wallet because they were saved again. The audit log gets an event
    for each card that was added, removed, replaced or made the default, however that happened. Who asked for it here is an event of
    its own, written by `app/flows/provider/cards.py`.
    """
    account = await billing_account_store.lock(session, workspace_id)
    known = {row.provider_id: row for row in await billing_account_store.cards(session, workspace_id)}
    default_before = next((row for row in known.values() if row.is_default), None)
    changed = False
    for card in wallet.cards:
        row = known.pop(card.id, None)
        is_default = card.id == wallet.default_card_id
        if row is None:
            session.add(_row(session, workspace_id, card, is_default))
            await _record(session, workspace_id, "card.added", "A card was added.", after=card_summary(card))
            account.cards_check_at = account.cards_check_until = None
            changed = True
        elif _differs(row, card, is_default):
            row.brand, row.last4, row.exp_month, row.exp_year = card.brand, card.last4, card.exp_month, card.exp_year
            row.fingerprint, row.is_default = card.fingerprint, is_default
            changed = True
    for gone in known.values():
        await session.delete(gone)
        event = _REPLACED if gone.provider_id in replaced else _REMOVED
        await _record(session, workspace_id, *event, before=card_summary(gone))
        changed = True
    default = next((card for card in wallet.cards if card.id == wallet.default_card_id), None)
    if default_before is not None and default is not None and default.id != default_before.provider_id:
        before, after = card_summary(default_before), card_summary(default)
        summary = "Another card became the default."
        await _record(session, workspace_id, "card.default_set", summary, before=before, after=after)
    if (default.id if default is not None else None) != (default_before.provider_id if default_before else None):
        await follow_default(session, workspace_id)
    if changed:
        account.cards_version += 1
        session.outbox.hint(TOPIC, workspace_id, workspace_id, account.cards_version)
    return changed


async def follow_default(session: Session, workspace_id: UUID) -> None:
    """Have the subscription, if there is one, charged to the card that is the default from now on."""
    subscription = await subscription_store.find(session, workspace_id)
    if subscription is not None and subscription.provider_id is not None:
        session.outbox.enqueue(DEFAULT_CARD_CHANGED, {"workspace_id": str(workspace_id)})


def expect_card(session: Session, account: BillingAccountRow, *, until: datetime) -> None:
    """A form to save a card is open until a time: have the worker look for the card. `account` is locked."""
    account.cards_check_at, account.cards_check_until = session.now + CHECK_EVERY, until


async def check_later(session: Session, workspace_id: UUID) -> None:
    """Have the worker look for the card again later, as long as the form is open."""
    account = await billing_account_store.lock(session, workspace_id)
    if account.cards_check_at is not None and account.cards_check_until is not None:
        is_open = session.now < account.cards_check_until
        account.cards_check_at = session.now + CHECK_EVERY if is_open else None


def may_be_checked_soon(account: BillingAccountRow | Account | None, now: datetime) -> bool:
    """Whether `check_soon` would make the cards due."""
    if account is None or account.cards_check_at is None or account.cards_check_at <= now:
        return False
    return account.cards_check_asked_at is None or now >= account.cards_check_asked_at + CHECK_SOON_EVERY


async def check_soon(session: Session, workspace_id: UUID) -> None:
    """Have the worker look for the card at once, where a form to save one is open: somebody looks at them. Waits for no lock."""
    account = await billing_account_store.lock_free(session, workspace_id)
    if account is not None and may_be_checked_soon(account, session.now):
        account.cards_check_at = account.cards_check_asked_at = session.now


_REMOVED: Final = "card.removed", "A card was removed."
_REPLACED: Final = "card.replaced", "A card was saved again, and replaced as it was saved before."


async def _record(
    session: Session,
    workspace_id: UUID,
    action: str,
    summary: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    await audit_log.record(session, workspace_id, SYSTEM, action, summary, before=before, after=after)


def card_summary(card: CardRow | Card) -> dict[str, object]:
    """A card as the audit log describes it."""
    return {"brand": card.brand, "last4": card.last4}


def _row(session: Session, workspace_id: UUID, card: Card, is_default: bool) -> CardRow:
    return CardRow(
        workspace_id=workspace_id,
        id=uuid7(),
        provider_id=card.id,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        fingerprint=card.fingerprint,
        is_default=is_default,
        created_at=session.now,
    )


def _differs(row: CardRow, card: Card, is_default: bool) -> bool:
    mirrored = (row.brand, row.last4, row.exp_month, row.exp_year, row.fingerprint, row.is_default)
    return mirrored != (card.brand, card.last4, card.exp_month, card.exp_year, card.fingerprint, is_default)
