"""Importing a customer that had a history at the provider: adopted by an operator, then mirrored whole, page by page.

Where it is interrupted it goes on after the last page that was stored. What an event has mirrored meanwhile is newer than a page
that was fetched before it, and stays.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog

from app.billing.payments import customer_imports, invoice_mirror
from app.billing.payments.customer_imports import ImportStage
from app.billing.subscriptions.billed_lines import mirror_invoice
from app.billing.subscriptions.subscription_states import live_ones
from app.db.engine import Session
from app.db.tables.billing_details import CustomerImportRow
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import sync_cards
from app.flows.provider.tax_details import sync_details
from app.flows.purchases.refunds import sync_returned_money
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_errors import GatewayMissing, MissingObject
from app.store import billing_accounts as billing_account_store
from app.store import customer_imports as customer_import_store
from app.store import invoices as invoice_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

PAGE: Final = 50

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def adopt_customer(context: FlowContext, handle: str, customer_id: str) -> CustomerImportRow:
    """Let a customer of the provider's be the workspace's, from now on; its history is imported by `import_history`.

    Raises `NotFound` where there is no such workspace or customer, `Conflict`, and `GatewayUnavailable`.
    """
    try:
        found = await context.gateway.customer_details(customer_id)
    except GatewayMissing as missing:
        raise NotFound(f"There is no customer {customer_id!r} at the payment provider.") from missing

    async def adopt(session: Session) -> CustomerImportRow:
        workspace_id = await workspace_store.id_by_handle(session, handle.strip().lower())
        if workspace_id is None:
            raise NotFound(f"There is no workspace with the handle {handle!r}.")
        return await customer_imports.adopt(session, workspace_id, customer_id, found)

    return await transact(context.database, adopt, step="import.adopt")


async def import_history(context: FlowContext, workspace_id: UUID, *, page: int = PAGE) -> None:
    """Go on with a workspace's import until it is done, `page` objects of a list at a time.

    Safe to run twice, and at once. Raises `GatewayUnavailable`: then the worker goes on later.
    """
    while True:
        row = await transact(
            context.database, lambda session: customer_imports.claim(session, workspace_id), step="import.claim"
        )
        if row is None:
            return
        try:
            await _take_step(context, row, page)
        except GatewayMissing as missing:
            if missing.kind is MissingObject.CUSTOMER:
                # its deletion is noticed by its event, or by the next call for it
                return
            if row.cursor is None:
                raise
            await transact(
                context.database,
                lambda session: customer_imports.begin_history_anew(session, workspace_id),
                step="import.begin_anew",
            )


async def _take_step(context: FlowContext, row: CustomerImportRow, page: int) -> None:
    match ImportStage(row.stage):
        case ImportStage.PRESENT:
            await _import_present(context, row)
        case ImportStage.HISTORY:
            await _import_invoices(context, row, page)
        case ImportStage.RETURNS:
            await _import_returns(context, row, page)
        case ImportStage.DONE:
            return


async def _import_present(context: FlowContext, row: CustomerImportRow) -> None:
    """Mirror what the customer has now. The cards come first: then no subscription is known that would be charged to another."""
    await sync_details(context, row.workspace_id)
    await sync_cards(context, row.workspace_id)
    await sync_subscription(context, row.workspace_id)
    live = live_ones(await context.gateway.find_subscriptions(row.customer_id))

    async def note(session: Session) -> None:
        kept = await subscription_store.find(session, row.workspace_id)
        known = kept.provider_id if kept is not None else None
        foreign = sorted(each.id for each in live if each.id != known)
        if foreign:
            _log.warning("import.foreign_subscriptions", workspace=str(row.workspace_id), subscriptions=foreign)
        present = await customer_import_store.lock(session, row.workspace_id)
        if present is not None:
            present.foreign_subscriptions = " ".join(foreign)
        await customer_imports.advance(session, row.workspace_id, (row.stage, row.cursor), after=None)

    await transact(context.database, note, step="import.present")


async def _import_invoices(context: FlowContext, row: CustomerImportRow, page: int) -> None:
    fetched_at = context.database.clock.now()
    found = await context.gateway.invoice_page(row.customer_id, after=row.cursor, most=page)

    async def store(session: Session) -> None:
        # whoever mirrors an invoice locks the account first
        await billing_account_store.lock(session, row.workspace_id)
        # the oldest first: of those issued within one second the one that was stored last is listed first
        for invoice in filter(invoice_mirror.is_shown, reversed(found.found)):
            kept = await invoice_store.lock_with_provider_id(session, invoice.id)
            if kept is None or kept.changed_at < fetched_at:
                await mirror_invoice(session, context.catalog, row.workspace_id, invoice)
        read = len(found.found)
        step = row.stage, row.cursor
        await customer_imports.advance(session, row.workspace_id, step, after=found.next_after, invoices=read)

    await transact(context.database, store, step="import.invoices")


async def _import_returns(context: FlowContext, row: CustomerImportRow, page: int) -> None:
    found = await context.gateway.charge_page(row.customer_id, after=row.cursor, most=page)
    for charge in found.found:
        if charge.has_returned_money and charge.payment_id is not None:
            invoice_id = await context.gateway.invoice_of_payment(charge.payment_id)
            if invoice_id is not None:
                await sync_returned_money(context, invoice_id)
    await transact(
        context.database,
        lambda session: customer_imports.advance(
            session, row.workspace_id, (row.stage, row.cursor), after=found.next_after
        ),
        step="import.returns",
    )
