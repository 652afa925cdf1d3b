"""Address, tax ids and exemption of a workspace's customer: comparing them with the provider's, by one at a time.

What was changed here and is not there yet is written; otherwise the provider's is what counts, since customers change it in the
portal and on hosted pages. Who compares claims the customer for longer than a request is under way, so that what is fetched while
the claim holds has everything that was sent before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.billing.payments.billing_details import ADDRESS_PARTS, TaxIdGiven, address_parts
from app.billing.payments.reverse_charge import CheckedTaxId, is_reverse_charged
from app.catalog import TaxPolicy
from app.db.engine import Session
from app.db.tables.billing_details import BillingDetailsRow, TaxIdRow
from app.db.tables.payments import BillingAccountRow
from app.ids import uuid7
from app.payments.billing_detail_values import Address, BillingDetails, TaxExemption, TaxId, TaxIdStatus
from app.payments.tax_id_kinds import EU_VAT
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store

TAX_COUNTRY_CHANGED: Final = "tax_country_changed"
"""The task that lets the subscription be taxed as in another country."""

# longer than a request is under way, with the one that is sent again by itself
_CLAIMED_FOR: Final = timedelta(minutes=2)
_ASKED_AGAIN_AFTER: Final = timedelta(seconds=5)
_AFTER_A_REFUSAL: Final = timedelta(hours=1)
# a number is looked up within minutes, mostly; the event that tells of it may be lost
_VERIFIED_BY: Final = timedelta(minutes=10)
_VERIFIED_LATE: Final = timedelta(days=1)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DetailsClaim:
    """That the caller compares, alone: the customer, the revision of what is here, and since when it is due."""

    customer_id: str
    revision: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class DetailsWrites:
    """What is still to be written at the provider. `address` counts only if `writes_address`; None is no address.

    `created` are tax ids to be made by the ids of their rows, `deleted` those to be deleted, with the provider's ids.
    """

    writes_address: bool
    address: Address | None
    created: Sequence[tuple[UUID, TaxIdGiven]]
    deleted: Sequence[tuple[UUID, str]]


class DetailsBusy(Exception):
    """Somebody else is comparing: it is done again after that."""


class CustomerReplaced(Exception):
    """The customer was forgotten meanwhile: nothing of it counts any more."""


async def claim(session: Session, workspace_id: UUID) -> DetailsClaim | None:
    """Compare alone from now on; None where there is no customer. Raises `DetailsBusy`, having noted that it is due."""
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id is None or account.closing_at is not None:
        return None
    row = await billing_details_store.lock(session, workspace_id)
    if account.details_claimed_until is not None and account.details_claimed_until > session.real_now:
        raise DetailsBusy
    account.details_claimed_until = session.real_now + _CLAIMED_FOR
    # until this is through: whoever charges meanwhile waits for it, and the worker goes on where this stops
    due_at = min(account.details_due_at or session.now, session.now)
    account.details_due_at = due_at
    return DetailsClaim(account.customer_id, row.revision, due_at)


async def due_now(session: Session, workspace_id: UUID) -> None:
    """Have the details compared soon."""
    account = await billing_account_store.lock(session, workspace_id)
    account.details_due_at = session.now


async def merge(
    session: Session, workspace_id: UUID, claimed: DetailsClaim, found: BillingDetails, tax_ids: Sequence[TaxId]
) -> DetailsWrites:
    """Bring what is here in line with the provider's, but for what was changed here; returns what is to be written there.

    Raises `CustomerReplaced`.
    """
    await _locked(session, workspace_id, claimed)
    row = await billing_details_store.lock(session, workspace_id)
    if not row.address_due:
        _adopt_address(session, row, found.address)
    await _note_exemption(session, row, found.exemption)
    rows = await _merge_tax_ids(session, workspace_id, tax_ids)
    address = address_parts(row)
    return DetailsWrites(
        writes_address=row.address_due,
        address=Address(**{name: part or "" for name, part in address.items()}) if address["country"] else None,
        created=[(each.id, TaxIdGiven(each.kind, each.value)) for each in rows if each.provider_id is None],
        deleted=[(each.id, each.provider_id) for each in rows if each.is_removed and each.provider_id is not None],
    )


async def address_written(session: Session, workspace_id: UUID, claimed: DetailsClaim) -> None:
    """Note that the provider has the address of the claimed revision."""
    await _locked(session, workspace_id, claimed)
    row = await billing_details_store.lock(session, workspace_id)
    if row.revision == claimed.revision:
        row.address_due = False
        session.outbox.enqueue(TAX_COUNTRY_CHANGED, {"workspace_id": str(workspace_id)})


async def tax_id_made(
    session: Session, workspace_id: UUID, claimed: DetailsClaim, row_id: UUID, made: TaxId | None
) -> None:
    """Note a tax id that was made at the provider; None: it refused the text, and the tax id is not kept."""
    await _locked(session, workspace_id, claimed)
    row = await billing_details_store.tax_id(session, workspace_id, row_id)
    if row is None:
        return
    if made is not None:
        row.provider_id, row.status, row.country = made.id, made.status.value, made.country
        return
    await session.delete(row)
    summary = "A tax id was refused by the payment provider, and is not kept."
    await audit_log.record(session, workspace_id, SYSTEM, "tax_id.refused", summary, before={"type": row.kind})


async def tax_id_deleted(session: Session, workspace_id: UUID, claimed: DetailsClaim, row_id: UUID) -> None:
    """Note that a tax id is gone at the provider. One that is wanted again by now is made anew."""
    await _locked(session, workspace_id, claimed)
    row = await billing_details_store.tax_id(session, workspace_id, row_id)
    if row is not None and row.is_removed:
        await session.delete(row)
    elif row is not None:
        # with another id: the key of a call is made of it, and the provider would answer with the one that is gone
        await session.delete(row)
        values = {"kind": row.kind, "value": row.value, "status": TaxIdStatus.PENDING.value}
        session.add(
            TaxIdRow(workspace_id=workspace_id, id=uuid7(), is_removed=False, created_at=row.created_at, **values)
        )


async def exemption_to_write(
    session: Session, tax: TaxPolicy, workspace_id: UUID, claimed: DetailsClaim
) -> TaxExemption | None:
    """What the customer's exemption is to be set to, noted as about to be sent; None where it is that, or was set by hand.

    Without a reverse charge, tax is charged.
    """
    await _locked(session, workspace_id, claimed)
    row = await billing_details_store.lock(session, workspace_id)
    if is_set_by_hand(row):
        return None
    known = [
        CheckedTaxId(each.kind, each.value, each.status)
        for each in await billing_details_store.tax_ids(session, workspace_id)
        if not each.is_removed
    ]
    wanted = TaxExemption.REVERSE if is_reverse_charged(tax, row.country, known) else TaxExemption.NONE
    if row.exemption == wanted:
        return None
    row.reverse_sent |= wanted is TaxExemption.REVERSE
    return wanted


async def exemption_written(
    session: Session, workspace_id: UUID, claimed: DetailsClaim, exemption: TaxExemption
) -> None:
    """Note the exemption that the provider has from now on."""
    await _locked(session, workspace_id, claimed)
    row = await billing_details_store.lock(session, workspace_id)
    before, row.exemption = row.exemption, exemption.value
    row.reverse_sent = exemption is TaxExemption.REVERSE
    summary = (
        "Reverse charge from the next invoice on: a VAT id of the billing address's country was verified."
        if exemption is TaxExemption.REVERSE
        else "Tax is charged from the next invoice on: no verified VAT id of the billing address's country is there any more."
    )
    was, now = {"exemption": before}, {"exemption": exemption.value}
    await audit_log.record(session, workspace_id, SYSTEM, "tax.exemption_changed", summary, before=was, after=now)


async def release(session: Session, workspace_id: UUID, claimed: DetailsClaim, *, was_refused: bool = False) -> bool:
    """End the claim; False where it fell due again meanwhile: compare again then.

    What the provider refused is tried again much later.
    """
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id != claimed.customer_id:
        return True
    account.details_claimed_until = None
    if was_refused:
        account.details_due_at = session.now + _AFTER_A_REFUSAL
        return True
    if account.details_due_at is not None and account.details_due_at > claimed.due_at:
        # somebody changed something here, or heard of a change there, after this was begun
        return False
    account.details_due_at = await _next_look(session, account)
    return True


async def back_off(session: Session, workspace_id: UUID, claimed: DetailsClaim) -> None:
    """End the claim soon, where the provider could not be asked and nothing was sent: it stays due."""
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id == claimed.customer_id:
        account.details_claimed_until = session.real_now + _ASKED_AGAIN_AFTER


async def forget_customer(session: Session, account: BillingAccountRow) -> None:
    """Let everything be written anew once there is another customer: this one is gone, with what it carried."""
    account.details_claimed_until = None
    row = await billing_details_store.find(session, account.workspace_id)
    if row is None:
        return
    row.address_due = row.country is not None
    row.exemption, row.reverse_sent = TaxExemption.NONE.value, False
    for each in await billing_details_store.tax_ids(session, account.workspace_id):
        each.provider_id, each.status = None, TaxIdStatus.PENDING.value
        if each.is_removed:
            await session.delete(each)
    account.details_due_at = session.now


def is_set_by_hand(row: BillingDetailsRow) -> bool:
    """Whether somebody set the exemption at the provider: it is kept then. A reverse charge that was never sent from here is."""
    return row.exemption == TaxExemption.EXEMPT or (row.exemption == TaxExemption.REVERSE and not row.reverse_sent)


def is_as_known(row: BillingDetailsRow | None, found: BillingDetails) -> bool:
    """Whether the provider has the address and the exemption that are known here: then there is nothing to compare."""
    if row is None:
        return found.address is None and found.exemption is TaxExemption.NONE
    return not row.address_due and address_parts(row) == _parts(found.address) and row.exemption == found.exemption


async def _locked(session: Session, workspace_id: UUID, claimed: DetailsClaim) -> BillingAccountRow:
    account = await billing_account_store.lock(session, workspace_id)
    if account.customer_id != claimed.customer_id:
        raise CustomerReplaced
    return account


def _adopt_address(session: Session, row: BillingDetailsRow, found: Address | None) -> None:
    parts = _parts(found)
    if parts == address_parts(row):
        return
    if parts["country"] != row.country:
        session.outbox.enqueue(TAX_COUNTRY_CHANGED, {"workspace_id": str(row.workspace_id)})
    for name, part in parts.items():
        setattr(row, name, part)
    row.changed_at = session.now


def _parts(address: Address | None) -> dict[str, str | None]:
    return {name: (getattr(address, name) or None) if address is not None else None for name in ADDRESS_PARTS}


async def _note_exemption(session: Session, row: BillingDetailsRow, found: TaxExemption) -> None:
    before, was_by_hand = row.exemption, is_set_by_hand(row)
    row.exemption = found.value
    if found is TaxExemption.NONE:
        row.reverse_sent = False
    if not is_set_by_hand(row) or (was_by_hand and before == found):
        return
    _log.warning("customer.exemption_set_by_hand", workspace=str(row.workspace_id), exemption=found.value)
    summary = "Somebody set at the payment provider that no tax is charged. It stays so until it is set back there."
    was, now = {"exemption": before}, {"exemption": found.value}
    await audit_log.record(
        session, row.workspace_id, SYSTEM, "tax.exemption_set_by_hand", summary, before=was, after=now
    )


async def _merge_tax_ids(session: Session, workspace_id: UUID, found: Sequence[TaxId]) -> Sequence[TaxIdRow]:
    rows = list(await billing_details_store.tax_ids(session, workspace_id))
    by_id = {row.provider_id: row for row in rows if row.provider_id is not None}
    unmade = {TaxIdGiven(row.kind, row.value).key: row for row in rows if row.provider_id is None}
    for each in found:
        row = by_id.pop(each.id, None) or unmade.pop(TaxIdGiven(each.kind, each.value).key, None)
        if row is None:
            # added in the portal, or by the seller
            row = TaxIdRow(
                workspace_id=workspace_id,
                id=uuid7(),
                kind=each.kind,
                value=each.value,
                is_removed=False,
                created_at=session.now,
            )
            session.add(row)
            rows.append(row)
        row.provider_id, row.status, row.country = each.id, each.status.value, each.country
    # deleted there, or taken back here before they were ever made
    gone = [*by_id.values(), *(row for row in unmade.values() if row.is_removed)]
    for row in gone:
        await session.delete(row)
    return [row for row in rows if row not in gone]


async def _next_look(session: Session, account: BillingAccountRow) -> datetime | None:
    """When the tax ids are looked at again by themselves: soon while one is new, then daily as long as it is being verified."""
    waiting = [
        each
        for each in await billing_details_store.tax_ids(session, account.workspace_id)
        if each.kind == EU_VAT and each.status == TaxIdStatus.PENDING
    ]
    if not waiting:
        return None
    is_new = any(session.now < each.created_at + _VERIFIED_LATE for each in waiting)
    return session.now + (_VERIFIED_BY if is_new else _VERIFIED_LATE)


async def tax_in_words(session: Session, tax: TaxPolicy, workspace_id: UUID) -> str:
    """How a workspace is taxed and why, in a sentence for an operator."""
    row = await billing_details_store.find(session, workspace_id)
    if row is None or row.exemption == TaxExemption.NONE:
        country = row.country if row is not None else None
        missing = country is None and tax.needs_address
        return "An address is needed before anything is charged." if missing else "Tax is charged."
    if is_set_by_hand(row):
        return f"No tax is charged: somebody set {row.exemption.lower()} at the payment provider, and it is kept."
    return f"Reverse charge, by a verified VAT id of {row.country}."
