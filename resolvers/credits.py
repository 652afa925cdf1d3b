"""Credits: balance, history, purchases, and what moves them."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from app.accounts.access import ApiScope, WorkspaceAccess, WorkspacePermission, workspace_for
from app.billing import credits
from app.billing.spend_limits import SpendLimitReached
from app.db.engine import Session
from app.db.tables.payments import CreditPurchaseRow, InvoiceRow
from app.db.unit_of_work import transact
from app.errors import DomainError, IdempotencyConflict, InvalidInput
from app.flows.recharge import RechargeRequest, recharge
from app.ledger import balances
from app.ledger.balances import Balance
from app.ledger.chart import Kind, Source
from app.ledger.movements import (
    Capture,
    Grant,
    Hold,
    HoldState,
    InsufficientCredits,
    Key,
    Posted,
    Release,
    Spend,
    Transaction,
)
from app.ledger.post import post_one
from app.store import invoices, purchases
from resolvers import ids
from resolvers.context import Context
from resolvers.pages import Page, decode_cursor, page_of, page_size
from resolvers.payments import desk_of
from resolvers.rates import limit_recharges
from resolvers.urls import return_urls
from resolvers.workspaces import sees_billing

T = TypeVar("T")

_MAX_DESCRIPTION_CHARACTERS = 500
# a hold is for work under way; a week is more than any lasts
_MAX_HOLD_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Movement:
    """A transaction and the balance of its workspace now."""

    transaction: Transaction
    balance: Balance


@dataclass(frozen=True, slots=True)
class HoldMovement:
    """A movement of a hold, the hold as it is now, and the balance of its workspace now."""

    transaction: Transaction
    balance: Balance
    hold: HoldState


@dataclass(frozen=True, slots=True)
class RechargeAnswer:
    """A purchase as it stands, with what it led to, and what the caller must be told when it has not succeeded."""

    purchase: CreditPurchaseRow
    balance: Balance
    transaction: Transaction | None
    invoice: InvoiceRow | None
    error: DomainError | None


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which transactions are wanted: of a kind, at or after `start`, before `end`."""

    kind: Kind | None
    start: datetime | None
    end: datetime | None


async def balance_of(context: Context, access: WorkspaceAccess) -> Balance | None:
    """The workspace's balance, for those who see its billing."""
    return await _balance(context, access.workspace.id) if sees_billing(access) else None


async def balance(context: Context, balance_id: str) -> Balance:
    """A balance by its id, for those who see the workspace's billing."""
    owner = ids.row_id(balance_id, "CreditBalance")
    await _check_sees_billing(context, owner)
    return await _balance(context, owner)


async def history(
    context: Context, workspace_id: UUID, first: int | None, after: str | None, wanted: HistoryFilter
) -> Page[Transaction]:
    """A page of a balance's transactions, newest first."""
    size = page_size(first)
    after_sequence = decode_cursor(after, int) if after is not None else None
    async with context.runtime.database.read() as session:
        found = await balances.history(
            session,
            workspace_id,
            first=size,
            after_sequence=after_sequence,
            kind=wanted.kind,
            start=wanted.start,
            end=wanted.end,
        )
    page = page_of(found.transactions, size, after, lambda transaction: str(transaction.sequence))
    return Page(page.rows, page.cursors, found.has_more, page.has_previous)


async def transaction(context: Context, transaction_id: str) -> Transaction | None:
    """A transaction by its id, for those who see the workspace's billing."""
    owner, row_id = ids.owned_id(transaction_id, "CreditTransaction")
    await _check_sees_billing(context, owner)
    async with context.runtime.database.read() as session:
        return await balances.transaction(session, owner, row_id)


async def purchase(context: Context, purchase_id: str) -> CreditPurchaseRow | None:
    """A purchase by its id, for those who see the workspace's billing."""
    owner, row_id = ids.owned_id(purchase_id, "CreditPurchase")
    await _check_sees_billing(context, owner)
    async with context.runtime.database.read() as session:
        return await purchases.find(session, owner, row_id)


async def purchase_page(
    context: Context, access: WorkspaceAccess, first: int | None, after: str | None
) -> Page[CreditPurchaseRow] | None:
    """A page of the workspace's purchases, newest first, for those who see its billing."""
    if not sees_billing(access):
        return None
    size = page_size(first)
    before = decode_cursor(after, lambda text: UUID(hex=text)) if after is not None else None
    async with context.runtime.database.read() as session:
        rows = await purchases.page(session, access.workspace.id, limit=size + 1, before=before)
    return page_of(rows, size, after, lambda row: row.id.hex)


async def recharge_credits(
    context: Context,
    workspace_id: str,
    *,
    pack_code: str | None,
    amount: Decimal | None,
    payment_method_id: str | None,
    success_url: str | None,
    cancel_url: str | None,
    idempotency_key: str,
) -> RechargeAnswer:
    """Buy credits, by pack or by amount, with a card on file or on a page to pay on."""
    urls = return_urls(context, success_url, cancel_url)
    owner = ids.workspace_id(workspace_id)
    card_id = _card_of(owner, payment_method_id)

    async def authorize(session: Session) -> WorkspaceAccess:
        return await workspace_for(
            session, context.caller, owner, permission=WorkspacePermission.MANAGE_BILLING, lock=True
        )

    async with context.runtime.database.read() as session:
        await authorize(session)
    await limit_recharges(context, owner)
    key = Key.of("rechargeCredits", idempotency_key)
    try:
        result = await recharge(
            desk_of(context), RechargeRequest(owner, pack_code, amount, card_id, key.value, urls), authorize
        )
    except SpendLimitReached as refusal:
        refusal.path = ("input", "packCode" if amount is None else "amount")
        raise
    bought = result.purchase
    async with context.runtime.database.read() as session:
        now = (await balances.read(session, [owner]))[owner]
        credited = (await balances.purchase_transactions(session, owner, [bought.id])).get(bought.id)
        invoice = (await invoices.of_purchases(session, [(owner, bought.id)])).get((owner, bought.id))
    return RechargeAnswer(bought, now, credited, invoice, result.error)


async def grant_credits(
    context: Context,
    workspace_id: str,
    *,
    amount: Decimal,
    source: Source,
    description: str,
    expires_at: datetime | None,
    idempotency_key: str,
) -> Movement:
    """Give credits, as an operator: a promotion or an adjustment."""
    owner = ids.workspace_id(workspace_id)
    unit = context.runtime.catalog.credit_unit
    if source not in (Source.PROMOTION, Source.ADJUSTMENT):
        raise InvalidInput("The source must be PROMOTION or ADJUSTMENT.", path=("input", "source"))

    async def work(session: Session) -> Posted:
        await workspace_for(session, context.caller, owner, scope=ApiScope.OPERATOR, lock=True)
        if expires_at is not None and expires_at <= session.now:
            raise InvalidInput("The expiry must lie in the future.", path=("input", "expiresAt"))
        return await post_one(
            session,
            Grant(
                workspace_id=owner,
                amount=unit.to_steps(_positive(amount), path=("input", "amount")),
                source=source,
                description=_described(description),
                expires_at=expires_at,
                key=Key.of("grantCredits", idempotency_key, amount.normalize(), source, description, expires_at),
            ),
        )

    return await _moved(context, await _pointing(context, transact(context.runtime.database, work, step="grant")))


async def deduct_credits(
    context: Context,
    workspace_id: str,
    *,
    amount: Decimal,
    description: str,
    resource: str | None,
    idempotency_key: str,
) -> Movement:
    """Spend credits for the host product."""
    owner = ids.workspace_id(workspace_id)
    catalog = context.runtime.catalog
    await _check_spends(context, owner)
    if resource is not None and catalog.resource(resource) is None:
        raise credits.UnknownResource(path=("input", "resource"))
    spend = Spend(
        workspace_id=owner,
        amount=catalog.credit_unit.to_steps(_positive(amount), path=("input", "amount")),
        description=_described(description),
        resource=resource,
        key=Key.of("deductCredits", idempotency_key, amount.normalize(), description, resource),
    )
    return await _moved(context, await _pointing(context, context.runtime.committer.submit(spend)))


async def hold_credits(
    context: Context,
    workspace_id: str,
    *,
    amount: Decimal,
    description: str,
    expires_in_seconds: int,
    idempotency_key: str,
) -> HoldMovement:
    """Set credits aside for the host product."""
    owner = ids.workspace_id(workspace_id)
    unit = context.runtime.catalog.credit_unit
    await _check_spends(context, owner)
    if not 1 <= expires_in_seconds <= _MAX_HOLD_SECONDS:
        raise InvalidInput(f"A hold lasts from 1 to {_MAX_HOLD_SECONDS} seconds.", path=("input", "expiresInSeconds"))
    hold = Hold(
        workspace_id=owner,
        amount=unit.to_steps(_positive(amount), path=("input", "amount")),
        expires_at=context.runtime.database.clock.now() + timedelta(seconds=expires_in_seconds),
        description=_described(description),
        key=Key.of("holdCredits", idempotency_key, amount.normalize(), description, expires_in_seconds),
    )
    return await _held(context, await _pointing(context, context.runtime.committer.submit(hold)))


async def capture_hold(context: Context, hold_id: str, *, amount: Decimal, idempotency_key: str) -> HoldMovement:
    """Spend up to the amount of an open hold, once; the rest returns."""
    owner, row_id = ids.owned_id(hold_id, "CreditHold")
    await _check_spends(context, owner)
    if amount < 0:
        raise InvalidInput("The amount must not be negative.", path=("input", "amount"))
    capture = Capture(
        workspace_id=owner,
        hold_id=row_id,
        amount=context.runtime.catalog.credit_unit.to_steps(amount, path=("input", "amount")),
        key=Key.of("captureHold", idempotency_key, row_id, amount.normalize()),
    )
    return await _held(context, await _pointing(context, context.runtime.committer.submit(capture)))


async def release_hold(context: Context, hold_id: str) -> HoldMovement:
    """End an open hold unused."""
    owner, row_id = ids.owned_id(hold_id, "CreditHold")
    await _check_spends(context, owner)
    return await _held(context, await context.runtime.committer.submit(Release(workspace_id=owner, hold_id=row_id)))


async def hold(context: Context, hold_id: str) -> HoldState | None:
    """A hold by its id, for those who see the workspace's billing."""
    owner, row_id = ids.owned_id(hold_id, "CreditHold")
    await _check_sees_billing(context, owner)
    return await context.loaders.holds.load((owner, row_id))


async def _check_spends(context: Context, workspace_id: UUID) -> None:
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, scope=ApiScope.CREDITS_WRITE)


async def _held(context: Context, posted: Posted) -> HoldMovement:
    moved = await _moved(context, posted)
    if posted.hold is None:
        raise LookupError("a movement of a hold answered without the hold")
    return HoldMovement(moved.transaction, moved.balance, posted.hold)


async def _pointing(context: Context, work: Awaitable[T]) -> T:
    """`work`, whose refusals point at the field at fault, and say how many credits there are in the catalog's unit."""
    try:
        return await work
    except InsufficientCredits as refusal:
        pointed = refusal.in_unit(context.runtime.catalog.credit_unit)
        pointed.path = ("input", "amount")
        raise pointed from None
    except IdempotencyConflict as refusal:
        refusal.path = ("input", "idempotencyKey")
        raise
    except InvalidInput as refusal:
        refusal.path = refusal.path or ("input", "amount")
        raise


async def _moved(context: Context, posted: Posted) -> Movement:
    return Movement(posted.transaction, await _balance(context, posted.transaction.workspace_id))


async def _balance(context: Context, workspace_id: UUID) -> Balance:
    async with context.runtime.database.read() as session:
        return (await balances.read(session, [workspace_id]))[workspace_id]


async def _check_sees_billing(context: Context, workspace_id: UUID) -> None:
    async with context.runtime.database.read() as session:
        await workspace_for(session, context.caller, workspace_id, permission=WorkspacePermission.VIEW_BILLING)


def _card_of(workspace_id: UUID, payment_method_id: str | None) -> UUID | None:
    if payment_method_id is None:
        return None
    owner, card_id = ids.owned_id(payment_method_id, "PaymentMethod")
    # another workspace's card does not exist here: the look-up finds nothing under this owner
    return card_id if owner == workspace_id else UUID(int=0)


def _positive(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise InvalidInput("The amount must be above zero.", path=("input", "amount"))
    return amount


def _described(description: str) -> str:
    text = description.strip()
    if not 1 <= len(text) <= _MAX_DESCRIPTION_CHARACTERS:
        raise InvalidInput(
            f"A description has 1 to {_MAX_DESCRIPTION_CHARACTERS} characters.", path=("input", "description")
        )
    return text
