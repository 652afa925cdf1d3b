"""What is kept of a workspace's customer at the provider: bringing it up to date, and forgetting one that was deleted there.

The provider knows no conditional writes, and a request whose sender died may still arrive. So a write is noted before it is sent,
with whose address it has, and claims the customer for longer than a request can be under way. What was written while another
claim held counts as unknown, and is written again once that has lapsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.billing.payments import card_mirror, details_sync
from app.billing.payments.billed_party import BilledParty, billed_party
from app.db.engine import Session
from app.payments.gateway_values import CustomerDetails, Wallet
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store
from app.store import customers as customer_store

FORMER_CUSTOMER: Final = "former_customer"
"""The task that ends what was under way with a customer that is gone."""

# longer than a request is under way, with the one that is sent again by itself
_CLAIMED_FOR: Final = timedelta(minutes=2)
_AFTER_A_REFUSAL: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CustomerWrite:
    """A write that was noted: what is to be written to which customer. `is_alone`: no other write may be under way."""

    customer_id: str
    party: BilledParty
    claimed_until: datetime
    is_alone: bool


async def begin_write(session: Session, workspace_id: UUID) -> CustomerWrite | None:
    """Note that the customer is about to be written; None when there is none, or it carries what it should."""
    account = await billing_account_store.lock(session, workspace_id)
    party = await billed_party(session, workspace_id)
    if account.customer_id is None:
        return None
    if party is None:
        account.customer_due_at = session.real_now + _AFTER_A_REFUSAL
        return None
    if account.customer_digest == party.digest:
        account.customer_due_at = None
        return None
    is_alone = account.customer_claimed_until is None or account.customer_claimed_until <= session.real_now
    until = session.real_now + _CLAIMED_FOR
    account.customer_digest = None
    account.customer_owner_ids = sorted({*account.customer_owner_ids, *_owners(party)})
    account.customer_claimed_until = account.customer_due_at = until
    return CustomerWrite(account.customer_id, party, until, is_alone)


async def end_write(session: Session, workspace_id: UUID, write: CustomerWrite) -> bool:
    """Note that the provider took the write; False when the customer is to carry something else by now: write again then."""
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id != write.customer_id:
        return True
    is_current = await billed_party(session, workspace_id) == write.party
    if write.is_alone and account.customer_claimed_until == write.claimed_until:
        account.customer_digest = write.party.digest
        account.customer_owner_ids = _owners(write.party)
        account.customer_claimed_until = None
        account.customer_due_at = None if is_current else session.real_now
    return is_current


async def refuse_write(session: Session, workspace_id: UUID, write: CustomerWrite) -> None:
    """Note that the provider refused the write: it is tried again much later, and before an invoice is made."""
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id == write.customer_id and account.customer_claimed_until == write.claimed_until:
        account.customer_due_at = session.real_now + _AFTER_A_REFUSAL
        if write.is_alone:
            account.customer_claimed_until = None


async def note_change(session: Session, workspace_id: UUID, customer_id: str, found: CustomerDetails) -> bool:
    """Have the customer written again if it carries something else than was written: somebody changed it at the provider.

    An address that is missing there may be one that the provider does not take: that is no change.
    """
    account = await billing_account_store.lock(session, workspace_id)
    if not await is_changed(session, workspace_id, customer_id, found):
        return False
    account.customer_digest = None
    account.customer_due_at = session.real_now
    return True


async def is_changed(session: Session, workspace_id: UUID, customer_id: str, found: CustomerDetails) -> bool:
    """Whether the customer carries something else than was written; see `note_change`."""
    account = await billing_account_store.find(session, workspace_id)
    party = await billed_party(session, workspace_id)
    if (
        account is None
        or party is None
        or account.customer_id != customer_id
        or account.customer_digest != party.digest
    ):
        # another customer, or one that is to be written, or is being written, anyway
        return False
    return found.name != party.name or found.email not in (party.email, None)


async def keep_new(session: Session, workspace_id: UUID, customer_id: str, *, generation: int) -> str | None:
    """Keep a customer that was just made; returns the workspace's customer, None when this one was deleted meanwhile.

    It carries nothing yet, and whoever made it is about to write it.
    """
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id is None and account.customer_generation == generation:
        account.customer_id = customer_id
        account.customer_due_at = session.real_now + _CLAIMED_FOR
        if await billing_details_store.find(session, workspace_id) is not None:
            account.details_due_at = session.now
    return account.customer_id


async def forget(session: Session, workspace_id: UUID, customer_id: str) -> bool:
    """Forget a customer that is gone at the provider, with its cards; False when it is the workspace's no more.

    Its id stays known, since its payments may still be refunded or disputed. What was under way with it is ended by a job.
    """
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id != customer_id:
        return False
    await customer_store.add_former(session, workspace_id, customer_id)
    account.customer_id = account.card_page_id = None
    account.customer_generation += 1
    account.customer_digest = account.customer_due_at = account.customer_claimed_until = None
    account.customer_owner_ids = []
    await details_sync.forget_customer(session, account)
    await card_mirror.mirror(session, workspace_id, Wallet((), None))
    summary = "The customer was deleted at the payment provider, with the cards."
    await audit_log.record(session, workspace_id, SYSTEM, "customer.deleted", summary)
    session.outbox.enqueue(FORMER_CUSTOMER, {"workspace_id": str(workspace_id), "customer_id": customer_id})
    return True


def _owners(party: BilledParty) -> list[UUID]:
    return [party.owner_id] if party.owner_id is not None else []
