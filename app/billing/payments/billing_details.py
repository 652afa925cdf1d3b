"""What owners say about whom to bill: checking it, writing it here, and what of it is still to be written at the provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.people.email_syntax import parse_email
from app.accounts.security.text_input import one_line, optional_line
from app.accounts.workspaces.partial_changes import UNCHANGED, OrUnchanged
from app.billing.payments.countries import COUNTRIES
from app.billing.payments.workspace_closing import require_open
from app.catalog import TaxPolicy
from app.db.engine import Session
from app.db.tables.billing_details import BillingDetailsRow, TaxIdRow
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput
from app.ids import uuid7
from app.payments.billing_detail_values import TaxIdStatus
from app.payments.tax_id_kinds import EU_VAT, TAX_ID_KINDS
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store
from app.store import subscriptions as subscription_store
from app.wording import count

MOST_TAX_IDS: Final = 5
"""As many as the provider keeps of a customer."""
MOST_NAME_CHARACTERS: Final = 256
MOST_ADDRESS_CHARACTERS: Final = 200
MOST_TAX_ID_CHARACTERS: Final = 50
# VAT ids are often typed in groups
_BETWEEN_GROUPS: Final = str.maketrans("", "", " .-")
ADDRESS_PARTS: Final = ("line1", "line2", "city", "state", "postal_code", "country")


class BillingAddressRequired(DomainError):
    """The tax depends on the country: give a billing address first."""

    code = ErrorCode.BILLING_ADDRESS_REQUIRED


@dataclass(frozen=True, slots=True)
class TaxIdGiven:
    """A tax id as it was typed: `kind` in the provider's words."""

    kind: str
    value: str

    @property
    def key(self) -> tuple[str, str]:
        """What two spellings of the same tax id share."""
        return self.kind, "".join(each for each in self.value if each.isalnum() or each in "+*").upper()


@dataclass(frozen=True, slots=True)
class DetailsChange:
    """What is to change of the billing details, as it was written. `address` holds the parts that are to change, by name."""

    name: OrUnchanged[str | None] = UNCHANGED
    email: OrUnchanged[str | None] = UNCHANGED
    address: OrUnchanged[Mapping[str, str | None] | None] = UNCHANGED
    tax_ids: OrUnchanged[Sequence[TaxIdGiven] | None] = UNCHANGED


@dataclass(frozen=True, slots=True)
class DetailsBefore:
    """The billing details before a change, and the revision that the change made."""

    name: str | None
    email: str | None
    address: Mapping[str, str | None]
    tax_ids: Sequence[TaxIdGiven] = field(default=())
    revision: int = 0

    @property
    def as_change(self) -> DetailsChange:
        """The change that brings them back."""
        return DetailsChange(self.name, self.email, self.address, self.tax_ids)


def checked(change: DetailsChange) -> DetailsChange:
    """The change with its texts cleaned; raises `InvalidInput` naming the field for what can't be right."""
    return DetailsChange(
        name=change.name
        if change.name is UNCHANGED
        else optional_line(change.name, "A name", at_most=MOST_NAME_CHARACTERS, path=("input", "name")),
        email=change.email if change.email is UNCHANGED else _checked_email(change.email),
        address=change.address if change.address is UNCHANGED else _checked_parts(change.address),
        tax_ids=change.tax_ids if change.tax_ids is UNCHANGED else _checked_tax_ids(change.tax_ids or ()),
    )


async def write(
    session: Session, tax: TaxPolicy, workspace_id: UUID, change: DetailsChange, actor: Actor
) -> DetailsBefore:
    """Write a checked change here, and have it written at the provider; returns what was before.

    Raises `InvalidInput` for an address without a country, `BillingAddressRequired` where a paid subscription is taxed by the
    country and the change leaves none, and `WorkspaceClosing`.
    """
    account = await billing_account_store.lock(session, workspace_id)
    require_open(account)
    row = await billing_details_store.lock(session, workspace_id)
    tax_ids = await billing_details_store.tax_ids(session, workspace_id)
    before = _before(row, tax_ids)
    changed: list[str] = []
    if change.name is not UNCHANGED and change.name != row.name:
        row.name = change.name
        changed.append("name")
    if change.email is not UNCHANGED and change.email != row.email:
        row.email = change.email
        changed.append("email")
    if changed and account.customer_id is not None:
        account.customer_due_at = session.real_now
    if change.address is not UNCHANGED and await _set_address(session, tax, row, change.address):
        changed.append("address")
    if change.tax_ids is not UNCHANGED and _set_tax_ids(session, workspace_id, tax_ids, change.tax_ids or ()):
        changed.append("taxIds")
    if changed:
        row.revision += 1
        row.changed_at = session.now
        if row.address_due or "taxIds" in changed:
            account.details_due_at = session.now
        after = {"changed": changed, "country": row.country}
        summary = "Billing details were changed."
        await audit_log.record(session, workspace_id, actor, "billing_details.changed", summary, after=after)
    return DetailsBefore(before.name, before.email, before.address, before.tax_ids, row.revision)


async def restore(session: Session, tax: TaxPolicy, workspace_id: UUID, before: DetailsBefore, actor: Actor) -> None:
    """Take a change back whose tax id the provider refused, unless another change was made since."""
    await billing_account_store.lock(session, workspace_id)
    row = await billing_details_store.lock(session, workspace_id)
    if row.revision == before.revision:
        await write(session, tax, workspace_id, before.as_change, actor)


async def require_address(session: Session, tax: TaxPolicy, workspace_id: UUID) -> str | None:
    """The country by which a charge is taxed; None where the tax is the same everywhere.

    Raises `BillingAddressRequired` where the tax depends on a country that is not known.
    """
    if not tax.needs_address:
        return None
    country = await billing_details_store.country(session, workspace_id)
    if country is None:
        raise BillingAddressRequired
    return country


async def _set_address(
    session: Session, tax: TaxPolicy, row: BillingDetailsRow, given: Mapping[str, str | None] | None
) -> bool:
    parts = dict.fromkeys(ADDRESS_PARTS) if given is None else address_parts(row) | dict(given)
    if parts == address_parts(row):
        return False
    if parts["country"] is None and any(parts.values()):
        raise InvalidInput("An address needs its country.", path=("input", "address", "country"))
    if parts["country"] is None and tax.needs_address:
        subscription = await subscription_store.find(session, row.workspace_id)
        if subscription is not None and subscription.provider_id is not None:
            raise BillingAddressRequired(path=("input", "address"))
    for name, part in parts.items():
        setattr(row, name, part)
    row.address_due = True
    return True


def _set_tax_ids(
    session: Session, workspace_id: UUID, present: Sequence[TaxIdRow], wanted: Sequence[TaxIdGiven]
) -> bool:
    """Make the tax ids those that are wanted; returns whether any changed. What goes stays as removed until it is gone there."""
    left = {each.key: each for each in wanted}
    changed = False
    for row in present:
        is_wanted = left.pop(TaxIdGiven(row.kind, row.value).key, None) is not None
        changed |= row.is_removed == is_wanted
        row.is_removed = not is_wanted
    for place, given in enumerate(left.values()):
        session.add(
            TaxIdRow(
                workspace_id=workspace_id,
                id=uuid7(),
                kind=given.kind,
                value=given.value,
                status=TaxIdStatus.PENDING.value,
                is_removed=False,
                # shown in the order in which they were given
                created_at=session.now + timedelta(microseconds=place),
            )
        )
    return changed or bool(left)


def address_parts(row: BillingDetailsRow) -> dict[str, str | None]:
    """The address by its parts."""
    return {name: getattr(row, name) for name in ADDRESS_PARTS}


def _before(row: BillingDetailsRow, tax_ids: Sequence[TaxIdRow]) -> DetailsBefore:
    kept = [TaxIdGiven(each.kind, each.value) for each in tax_ids if not each.is_removed]
    return DetailsBefore(row.name, row.email, address_parts(row), kept)


def _checked_email(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    return parse_email(text, path=("input", "email")).address


def _checked_parts(parts: Mapping[str, str | None] | None) -> Mapping[str, str | None] | None:
    if parts is None:
        return None
    return {name: _checked_part(name, text) for name, text in parts.items()}


def _checked_part(name: str, text: str | None) -> str | None:
    path = ("input", "address", {"postal_code": "postalCode"}.get(name, name))
    line = optional_line(text, "A line of an address", at_most=MOST_ADDRESS_CHARACTERS, path=path)
    if name != "country" or line is None:
        return line
    if line.upper() not in COUNTRIES:
        raise InvalidInput("A country is written with its two letters of ISO 3166, such as NL.", path=path)
    return line.upper()


def _checked_tax_ids(given: Sequence[TaxIdGiven]) -> Sequence[TaxIdGiven]:
    if len(given) > MOST_TAX_IDS:
        raise InvalidInput(f"There can be at most {count(MOST_TAX_IDS, 'tax id')}.", path=("input", "taxIds"))
    found: dict[tuple[str, str], TaxIdGiven] = {}
    for place, each in enumerate(given):
        path = ("input", "taxIds", str(place))
        if each.kind not in TAX_ID_KINDS:
            message = f'There is no type of tax id "{each.kind[:MOST_TAX_ID_CHARACTERS]}". Use one of Stripe\'s, such as eu_vat.'
            raise InvalidInput(message, path=(*path, "type"))
        value = one_line(each.value, "A tax id", at_most=MOST_TAX_ID_CHARACTERS, path=(*path, "value"))
        known = TaxIdGiven(each.kind, value.translate(_BETWEEN_GROUPS).upper() if each.kind == EU_VAT else value)
        if known.key in found:
            raise InvalidInput("This tax id is given twice.", path=(*path, "value"))
        found[known.key] = known
    return list(found.values())
