"""Credits: the balance and its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.accounts.access.workspace_access import WorkspaceAccess
from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Kind
from app.ledger.ledger_reads import Balance, GrantState
from app.ledger.movements import HoldState, Transaction
from app.money import MAX_STEPS
from resolvers import global_ids
from resolvers.billing_access import require_billing_view, sees_billing
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which transactions are wanted: of a kind, at or after `start`, before `end`."""

    kind: Kind | None
    start: datetime | None
    end: datetime | None


async def balance_of(context: Context, access: WorkspaceAccess) -> Balance | None:
    """The workspace's balance, for those who see its billing."""
    return await read_balance(context, access.workspace.id) if sees_billing(access) else None


async def balance(context: Context, balance_id: str) -> Balance:
    """A balance by its id, for those who see the workspace's billing."""
    workspace_id = global_ids.row_id(balance_id, "CreditBalance")
    await require_billing_view(context, workspace_id)
    return await read_balance(context, workspace_id)


async def history(
    context: Context, workspace_id: UUID, first: int | None, after: str | None, wanted: HistoryFilter
) -> Page[Transaction]:
    """A page of a balance's transactions, newest first."""
    size = page_size(first)
    after_sequence = decode_cursor(after, _sequence) if after is not None else None
    async with context.runtime.database.read() as session:
        found = await ledger_reads.history(
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
    workspace_id, row_id = global_ids.owned_id(transaction_id, "CreditTransaction")
    await require_billing_view(context, workspace_id)
    async with context.runtime.database.read() as session:
        return await ledger_reads.transaction(session, workspace_id, row_id)


async def grant(context: Context, grant_id: str) -> tuple[UUID, GrantState | None]:
    """A grant by its id, spent ones too, and whose it is, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(grant_id, "CreditGrant")
    await require_billing_view(context, workspace_id)
    async with context.runtime.database.read() as session:
        return workspace_id, (await ledger_reads.grants(session, workspace_id, [row_id])).get(row_id)


async def hold(context: Context, hold_id: str) -> HoldState | None:
    """A hold by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(hold_id, "CreditHold")
    await require_billing_view(context, workspace_id)
    return await context.loaders.holds.load((workspace_id, row_id))


async def read_balance(context: Context, workspace_id: UUID) -> Balance:
    """A workspace's balance as it is now, for callers whose rights were checked."""
    async with context.runtime.database.read() as session:
        return (await ledger_reads.balances(session, [workspace_id]))[workspace_id]


def _sequence(text: str) -> int:
    sequence = int(text)
    if str(sequence) != text or not 0 < sequence <= MAX_STEPS:
        raise ValueError(text)
    return sequence
