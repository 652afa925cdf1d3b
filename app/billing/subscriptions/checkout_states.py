"""The states of a hosted page on which a workspace begins to subscribe: opening, open, used, settled, closed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.billing.payments import card_mirror
from app.billing.subscriptions.plan_choice import PlanChoice, choice_as_json
from app.db.engine import Session
from app.db.tables.subscriptions import CheckoutState, SubscriptionCheckoutRow
from app.ids import uuid7
from app.store import billing_accounts as billing_account_store
from app.store import subscription_checkouts as subscription_checkout_store

# Longer than the calls to the provider take that open a page.
OPENING_TAKES: Final = timedelta(seconds=90)
# A page that was used, and whose subscription is not there yet, is looked at again after this.
_CHECK_AGAIN: Final = timedelta(seconds=90)


async def begin(
    session: Session, *, workspace_id: UUID, choice: PlanChoice, key: str, key_hash: bytes, expires_at: datetime
) -> SubscriptionCheckoutRow:
    """Write down that a page is about to be opened; the billing account is locked."""
    row = SubscriptionCheckoutRow(
        workspace_id=workspace_id,
        id=uuid7(),
        idempotency_key=key,
        input_hash=key_hash,
        state=CheckoutState.OPENING.value,
        choice=choice_as_json(choice),
        expires_at=expires_at,
        next_check_at=session.now + OPENING_TAKES,
        created_at=session.now,
    )
    session.add(row)
    await session.flush()
    return row


async def opened(session: Session, workspace_id: UUID, checkout_id: UUID, *, session_id: str, url: str | None) -> bool:
    """Keep the page's id and address; False where another page was opened in its place meanwhile: this one is to be closed."""
    row = await _locked(session, workspace_id, checkout_id)
    newer = [
        each for each in await subscription_checkout_store.unfinished(session, workspace_id) if each.id > checkout_id
    ]
    if row.state != CheckoutState.OPENING:
        return False
    row.session_id, row.url = session_id, url
    row.state, row.next_check_at = CheckoutState.OPEN.value, row.expires_at
    if newer:
        row.state, row.next_check_at = CheckoutState.EXPIRED.value, None
    return not newer


async def complete(session: Session, workspace_id: UUID, checkout_id: UUID, subscription_id: str) -> None:
    """Note that the page was used, and which of the provider's subscriptions it started."""
    row = await _locked(session, workspace_id, checkout_id)
    if row.state != CheckoutState.SETTLED:
        row.state, row.subscription_id = CheckoutState.COMPLETE.value, subscription_id
        row.next_check_at = session.now + _CHECK_AGAIN


async def settled(session: Session, workspace_id: UUID, checkout_id: UUID) -> None:
    """Note that all that follows from a used page is done. Another default card that was chosen meanwhile is followed from here."""
    row = await _locked(session, workspace_id, checkout_id)
    row.state, row.next_check_at, row.url = CheckoutState.SETTLED.value, None, None
    await card_mirror.follow_default(session, workspace_id)


async def close(session: Session, workspace_id: UUID, checkout_id: UUID, *, frees_key: bool = False) -> None:
    """Note that the page is closed and was not used. `frees_key` where nobody was given its address."""
    row = await _locked(session, workspace_id, checkout_id)
    if row.state in (CheckoutState.OPENING, CheckoutState.OPEN):
        row.state = (CheckoutState.FAILED if frees_key else CheckoutState.EXPIRED).value
        row.next_check_at = row.url = None
        if frees_key:
            row.idempotency_key = None


async def check_later(session: Session, workspace_id: UUID, checkout_id: UUID) -> None:
    """Look at a page again in a while: it is not closed, or its subscription is not there yet."""
    row = await _locked(session, workspace_id, checkout_id)
    if row.next_check_at is not None:
        later = session.now + _CHECK_AGAIN
        row.next_check_at = max(row.expires_at, later) if row.state == CheckoutState.OPEN else later


async def _locked(session: Session, workspace_id: UUID, checkout_id: UUID) -> SubscriptionCheckoutRow:
    await billing_account_store.lock(session, workspace_id)
    return await subscription_checkout_store.get(session, workspace_id, checkout_id)
