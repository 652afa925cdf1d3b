"""Credits: the balance and its history."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Kind
from app.ledger.ledger_reads import Balance, GrantState
from app.ledger.movements import HoldState, Transaction
from app.metering.subjects import subject_name
from app.money import MAX_STEPS
from resolvers import global_ids
from resolvers.billing_access import require_billing_view
from resolvers.context import Context
from resolvers.pagination import Page, decode_cursor, page_of, page_size


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which transactions are wanted: of a kind, at or after `start`, before `end`."""

    kind: Kind | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """Which page of a history is wanted."""

    size: int
    after_sequence: int | None
    wanted: HistoryFilter

    @classmethod
    def of(cls, first: int | None, after: str | None, wanted: HistoryFilter) -> HistoryRequest:
        """The request that a field's arguments make; raises `BadUserInput` for those that it can't have."""
        return cls(page_size(first), decode_cursor(after, _sequence) if after is not None else None, wanted)


async def balance(context: Context, balance_id: str) -> Balance:
    """A balance by its id, for those who see the workspace's billing."""
    workspace_id = global_ids.row_id(balance_id, "CreditBalance")
    await require_billing_view(context, workspace_id)
    return await ledger_reads.balance(context.reads, workspace_id)


async def balance_with_histories(
    context: Context, workspace_id: UUID, asked: Mapping[str, HistoryRequest]
) -> tuple[Balance, dict[str, Page[Transaction]]]:
    """A workspace's balance and pages of its history, all of one moment, for callers whose rights were checked."""
    reading = [_page(context, workspace_id, request, None) for request in asked.values()]
    if not reading:
        return await ledger_reads.balance(context.reads, workspace_id), {}
    found, pages = await asyncio.gather(ledger_reads.balance(context.reads, workspace_id), asyncio.gather(*reading))
    return found, dict(zip(asked, pages, strict=True))


async def history(context: Context, of: Balance, request: HistoryRequest) -> Page[Transaction]:
    """A page of the transactions that a balance is made of, newest first: those that came after it was read are left out."""
    return await _page(context, of.workspace_id, request, of.sequence)


async def _page(
    context: Context, workspace_id: UUID, request: HistoryRequest, up_to_sequence: int | None
) -> Page[Transaction]:
    found = await ledger_reads.history(
        context.reads,
        workspace_id,
        first=request.size,
        after_sequence=request.after_sequence,
        up_to_sequence=up_to_sequence,
        kind=request.wanted.kind,
        start=request.wanted.start,
        end=request.wanted.end,
    )
    page = page_of(found.transactions, request.size, None, lambda transaction: str(transaction.sequence))
    return Page(page.rows, page.cursors, found.has_more, request.after_sequence is not None)


async def transaction(context: Context, transaction_id: str) -> Transaction | None:
    """A transaction by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(transaction_id, "CreditTransaction")
    await require_billing_view(context, workspace_id)
    return await ledger_reads.transaction(context.reads, workspace_id, row_id)


async def grant(context: Context, grant_id: str) -> tuple[UUID, GrantState | None]:
    """A grant by its id, spent ones too, and whose it is, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(grant_id, "CreditGrant")
    await require_billing_view(context, workspace_id)
    return workspace_id, await ledger_reads.grant(context.reads, workspace_id, row_id)


async def hold(context: Context, hold_id: str) -> HoldState | None:
    """A hold by its id, for those who see the workspace's billing."""
    workspace_id, row_id = global_ids.owned_id(hold_id, "CreditHold")
    await require_billing_view(context, workspace_id)
    return await hold_behind(context, workspace_id, row_id)


async def hold_behind(context: Context, workspace_id: UUID, hold_id: UUID) -> HoldState | None:
    """A hold of a workspace, for callers whose rights were checked."""
    return await ledger_reads.hold(context.reads, workspace_id, hold_id)


async def subject_of(context: Context, of: Transaction) -> str | None:
    """Who or what used the credits of a transaction, for callers whose rights were checked."""
    return await subject_name(context.reads, of.workspace_id, of.subject_id)


def _sequence(text: str) -> int:
    sequence = int(text)
    if str(sequence) != text or not 0 < sequence <= MAX_STEPS:
        raise ValueError(text)
    return sequence
