"""A customer that had a history at the provider becomes a workspace's: who may have it, and how far its import has come."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.people.email_syntax import parse_email
from app.accounts.security.text_input import cleaned_line
from app.billing.payments import details_sync
from app.billing.payments.billing_details import MOST_NAME_CHARACTERS
from app.billing.payments.workspace_closing import require_open
from app.db.engine import Session
from app.db.tables.billing_details import BillingDetailsRow, CustomerImportRow
from app.errors import Conflict, InvalidInput
from app.payments.gateway_values import CustomerDetails
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store
from app.store import customer_imports as customer_import_store
from app.store import customers as customer_store

# longer than a page of the history takes
_GOES_ON_AFTER: Final = timedelta(minutes=2)


class ImportStage(StrEnum):
    """What comes next of an import.

    PRESENT is what the customer has now: cards, billing details, subscriptions. HISTORY are the invoices, RETURNS what was refunded
    or disputed of them.
    """

    PRESENT = "PRESENT"
    HISTORY = "HISTORY"
    RETURNS = "RETURNS"
    DONE = "DONE"


_NEXT: Final = {
    ImportStage.PRESENT: ImportStage.HISTORY,
    ImportStage.HISTORY: ImportStage.RETURNS,
    ImportStage.RETURNS: ImportStage.DONE,
}


async def adopt(session: Session, workspace_id: UUID, customer_id: str, found: CustomerDetails) -> CustomerImportRow:
    """Let a customer of the provider's be the workspace's, and begin its import; the import as it stands where it is already.

    Its name and address become the billing details, unless there are some: they are not to be overwritten with the workspace's.
    Raises `Conflict` for a customer of another workspace, and for a workspace whose own customer has money behind it.
    """
    account = await billing_account_store.lock(session, workspace_id)
    require_open(account)
    known = await customer_import_store.lock(session, workspace_id)
    if known is not None and account.customer_id == customer_id == known.customer_id:
        if known.next_check_at is not None:
            known.next_check_at = session.real_now
        return known
    owner = await billing_account_store.of_customer(session, customer_id)
    if owner is not None and owner.workspace_id != workspace_id:
        raise Conflict("This customer is, or was, another workspace's.")
    if account.customer_id != customer_id:
        if await customer_import_store.has_money_behind_it(session, workspace_id):
            raise Conflict("This workspace has a customer with cards, invoices, purchases or a subscription.")
        if account.customer_id is not None:
            await customer_store.add_former(session, workspace_id, account.customer_id)
        await details_sync.forget_customer(session, account)
        account.customer_id, account.card_page_id = customer_id, None
        account.customer_generation += 1
    account.adopted_at = session.now
    account.customer_digest = account.customer_claimed_until = None
    account.customer_due_at, account.details_due_at = session.real_now, session.now
    details = await billing_details_store.lock(session, workspace_id)
    _keep_names(details, found)
    row = known or CustomerImportRow(workspace_id=workspace_id, invoices=0, foreign_subscriptions="")
    row.customer_id, row.stage, row.cursor = customer_id, ImportStage.PRESENT.value, None
    row.invoices, row.next_check_at = 0, session.real_now
    row.created_at, row.finished_at = session.now, None
    session.add(row)
    summary = "An operator gave the workspace a customer that was at the payment provider before, with its history."
    after = {"customer": customer_id}
    await audit_log.record(session, workspace_id, audit_log.OPERATOR, "customer.adopted", summary, after=after)
    return row


async def claim(session: Session, workspace_id: UUID) -> CustomerImportRow | None:
    """Go on with an import, alone for a while; None where it is done, somebody else goes on, or the customer is another by now."""
    row = await customer_import_store.lock(session, workspace_id)
    if row is None or row.next_check_at is None or row.next_check_at > session.real_now:
        return None
    account = await billing_account_store.find(session, workspace_id)
    if account is None or account.customer_id != row.customer_id or account.closing_at is not None:
        # forgotten since, or being deleted: there is nothing to import any more
        row.stage, row.next_check_at = ImportStage.DONE.value, None
        return None
    row.next_check_at = session.real_now + _GOES_ON_AFTER
    return row


async def advance(
    session: Session, workspace_id: UUID, step: tuple[str, str | None], *, after: str | None, invoices: int = 0
) -> None:
    """Note that a step, a stage with its cursor, is done; `after` is where the stage goes on, None: the next stage comes.

    Does nothing where somebody else has done it meanwhile.
    """
    row = await customer_import_store.lock(session, workspace_id)
    if row is None or (row.stage, row.cursor) != step or row.stage == ImportStage.DONE:
        return
    row.cursor = after
    row.invoices += invoices
    if after is None:
        row.stage = _NEXT[ImportStage(row.stage)].value
    is_done = row.stage == ImportStage.DONE
    row.next_check_at = None if is_done else session.real_now
    row.finished_at = session.now if is_done else None


async def begin_history_anew(session: Session, workspace_id: UUID) -> None:
    """Read the list from its beginning: what the cursor names was deleted. What is known by then is only compared."""
    row = await customer_import_store.lock(session, workspace_id)
    if row is not None:
        row.cursor, row.next_check_at = None, session.real_now


def _keep_names(row: BillingDetailsRow, found: CustomerDetails) -> None:
    row.name = row.name or cleaned_line(found.name, at_most=MOST_NAME_CHARACTERS)
    if row.email is None and found.email is not None:
        try:
            row.email = parse_email(found.email).address
        except InvalidInput:
            # it can't be written here as it is there; an owner's address takes its place
            return
