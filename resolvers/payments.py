"""Cards and invoices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import Caller, UserCaller, require_authenticated
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.people.users import require_verified_email
from app.accounts.workspaces.phone_verification import require_phone
from app.billing.purchases import spend_limits
from app.db.engine import Session
from app.db.tables.payments import CardRow, InvoiceRow
from app.errors import PaymentDeclined
from app.flows.flow_context import FlowContext
from app.flows.invoices.pay_invoice import InvoicePaid, pay_invoice
from app.flows.provider.cards import Authorize, CardSetup, add_card, remove_card, set_default_card
from app.flows.provider.customers import BilledParty
from app.ledger.movements import Key
from app.money import Money
from app.payments.gateway_values import InvoiceStatus
from app.store import billing_accounts as billing_account_store
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store
from resolvers import global_ids
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size
from resolvers.payment_rate_limits import limit_card_testing, limit_recharges, note_decline
from resolvers.return_urls import return_url
from resolvers.workspaces import sees_billing


def flow_context_of(context: Context) -> FlowContext:
    """What the flows work with."""
    return FlowContext(context.runtime.database, context.runtime.gateway, context.runtime.catalog)


async def require_payer(session: Session, caller: Caller) -> None:
    """Raise `EmailUnverified` for a person without a verified address; a key was made by somebody who has one."""
    if isinstance(caller, UserCaller):
        await require_verified_email(session, caller.user_id)


async def cards(context: Context, access: WorkspaceAccess) -> Sequence[CardRow] | None:
    """The workspace's cards, for those who see its billing."""
    if not sees_billing(access):
        return None
    async with context.runtime.database.read() as session:
        return await billing_account_store.cards(session, access.workspace.id)


async def invoice_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None, status: InvoiceStatus | None
) -> Page[InvoiceRow] | None:
    """A page of the workspace's invoices, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, _invoice_place) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await invoice_store.page(
            session,
            access.workspace.id,
            limit=size + 1,
            before=before,
            status=status.value if status is not None else None,
        )
    return page_of(rows, size, after, lambda row: f"{row.issued_at.isoformat() if row.issued_at else ''}|{row.id.hex}")


def _invoice_place(text: str) -> tuple[datetime, UUID]:
    issued_at, _, invoice_id = text.partition("|")
    # of a time without an offset no moment can be told: astimezone would take it for the machine's own
    if datetime.fromisoformat(issued_at).tzinfo is None:
        raise ValueError(text)
    return datetime.fromisoformat(issued_at).astimezone(UTC), UUID(hex=invoice_id)


async def invoice(context: Context, invoice_id: str) -> InvoiceRow | None:
    """An invoice by its id, for those who see the workspace's billing."""
    owner, row_id = global_ids.owned_id(invoice_id, "Invoice")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, owner, permission=WorkspacePermission.VIEW_BILLING)
        return await invoice_store.find(session, owner, row_id)


async def card(context: Context, card_id: str) -> CardRow | None:
    """A card by its id, for those who see the workspace's billing."""
    owner, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, owner, permission=WorkspacePermission.VIEW_BILLING)
        return await billing_account_store.card(session, owner, row_id)


async def add_payment_method(context: Context, workspace_id: str, return_to: str | None) -> CardSetup:
    """Begin to save a card: the client secret to confirm it with, and a page for those without an SDK."""
    require_authenticated(context.caller)
    owner = global_ids.workspace_id(workspace_id)
    runtime = context.runtime
    async with runtime.database.read() as session:
        access = await workspace_for(session, context.caller, owner, permission=WorkspacePermission.MANAGE_BILLING)
        await require_payer(session, context.caller)
        if runtime.catalog.phone_required:
            await require_phone(session, owner)
        address = await billing_account_store.contact_address(session, owner)
    urls = return_url(context, return_to)
    await limit_card_testing(context, owner)
    party = BilledParty(owner, access.workspace.name, address)
    return await add_card(flow_context_of(context), party, urls, actor_of(context.caller))


async def set_default_payment_method(context: Context, card_id: str) -> CardRow:
    """Charge this card by default."""
    require_authenticated(context.caller)
    owner, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    asked = actor_of(context.caller), _managing_billing(context, owner)
    card = await set_default_card(flow_context_of(context), owner, row_id, *asked)
    async with context.runtime.database.read() as session:
        return await billing_account_store.card(session, owner, row_id) or card


async def remove_payment_method(context: Context, card_id: str) -> WorkspaceAccess:
    """Forget a card; the workspace it was on."""
    require_authenticated(context.caller)
    owner, row_id = global_ids.owned_id(card_id, "PaymentMethod")
    await remove_card(
        flow_context_of(context), owner, row_id, actor_of(context.caller), _managing_billing(context, owner)
    )
    async with context.runtime.database.read() as session:
        return await workspace_for(session, context.caller, owner)


async def pay_open_invoice(context: Context, invoice_id: str, idempotency_key: str) -> InvoicePaid:
    """Charge the default card for an open invoice."""
    require_authenticated(context.caller)
    owner, row_id = global_ids.owned_id(invoice_id, "Invoice")

    authorize = _managing_billing(context, owner)
    async with context.runtime.database.read() as session:
        await authorize(session)
    await limit_recharges(context, owner)
    key = Key.of("payInvoice", idempotency_key)
    paid = await pay_invoice(flow_context_of(context), owner, row_id, key.value, actor_of(context.caller), authorize)
    if isinstance(paid.error, PaymentDeclined) and not paid.is_replay:
        await note_decline(context, owner)
    return paid


def _managing_billing(context: Context, workspace_id: UUID) -> Authorize:
    """The check, on locked rows, that the caller may change what the workspace is billed."""

    async def authorize(session: Session) -> WorkspaceAccess:
        return await workspace_for(
            session, context.caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING, lock=True
        )

    return authorize


async def spend(
    context: Context, access: WorkspaceAccess
) -> tuple[tuple[datetime, datetime], Money, Money | None] | None:
    """The calendar month, what credits cost in it so far, and the plan's ceiling, for those who see the workspace's billing."""
    if not sees_billing(access):
        return None
    catalog = context.runtime.catalog
    async with context.runtime.database.read() as session:
        account = await billing_account_store.find(session, access.workspace.id)
        month = spend_limits.month_of(session.now)
        spent = await purchase_store.charged_minor(session, access.workspace.id, since=month[0], until=month[1])
    limit = spend_limits.spend_limit(catalog, access.workspace.id, account)
    return month, Money(spent, catalog.currency), limit
