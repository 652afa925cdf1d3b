"""Paying with credits for what was used past the plan.

Counting leaves a row for it (`usage_dues`), and paying takes the row away in the transaction that spends the credits: whatever
crashes in between, nothing stays unpaid and nothing is paid twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Context, Decimal
from typing import Final
from uuid import UUID

from app.catalog import Catalog
from app.db.engine import Database, Session
from app.db.tables.usage import UsageCounterRow, UsageDueRow
from app.db.unit_of_work import transact
from app.ledger.movements import Spend
from app.ledger.post_movements import spend_what_there_is
from app.metering.usage_events import MOST_FRACTION_DIGITS
from app.store import usage_dues as usage_due_store
from app.store import usage_states as usage_state_store

_AT_ONCE: Final = 500
_LEFT_AFTER: Final = timedelta(seconds=5)
# more digits than any quantity times any price has
_EXACT: Final = Context(prec=100)
_UNIT_STEP: Final = Decimal(1).scaleb(-MOST_FRACTION_DIGITS)


async def pay_usage(database: Database, catalog: Catalog, workspace_id: UUID) -> None:
    """Pay what a workspace used past its plan, as far as its credits go; the rest is unpaid for good."""

    async def work(session: Session) -> int:
        return await _pay(session, catalog, workspace_id)

    while await transact(database, work, step="usage.pay") == _AT_ONCE:
        pass


async def pay_left(database: Database, catalog: Catalog, *, limit: int) -> int:
    """Pay what a call counted and did not come to pay, in at most `limit` workspaces; returns in how many."""
    async with database.read() as session:
        owing = await usage_due_store.owing(session, before=session.now - _LEFT_AFTER, limit=limit)
    for workspace_id in owing:
        await pay_usage(database, catalog, workspace_id)
    return len(owing)


async def next_left_at(session: Session) -> datetime | None:
    """When something that was not paid by its call is paid by the worker."""
    oldest = await usage_due_store.oldest_at(session)
    return oldest + _LEFT_AFTER if oldest is not None else None


async def _pay(session: Session, catalog: Catalog, workspace_id: UUID) -> int:
    state = await usage_state_store.lock(session, workspace_id)
    dues = await usage_due_store.waiting(session, workspace_id, limit=_AT_ONCE)
    if not dues:
        return 0
    counters = await usage_due_store.counters_of(
        session, workspace_id, {(due.period_start, due.resource) for due in dues}
    )
    wanted = _wanted(dues, counters)
    spends = _spends(catalog, workspace_id, dues, wanted)
    spent = await spend_what_there_is(session, [spend for spend, _ in spends])
    left = {key: amount for (_, key), amount in zip(spends, spent, strict=True)}
    for due, want in zip(dues, wanted, strict=True):
        key = due.resource, due.subject_id
        paid = min(want, left.get(key, 0))
        if paid:
            left[key] -= paid
        await _book(session, counters[due.period_start, due.resource], due, want=want, paid=paid)
    await usage_due_store.remove(session, workspace_id, [due.id for due in dues])
    usage_state_store.changed(session, state)
    return len(dues)


def _wanted(dues: Sequence[UsageDueRow], counters: Mapping[tuple[datetime, str], UsageCounterRow]) -> list[int]:
    """The whole steps that are to be charged for each due: what a period owes rounds down over all of it, less what was charged."""
    charged = {key: counter.charged for key, counter in counters.items()}
    wanted: list[int] = []
    for due in dues:
        key = due.period_start, due.resource
        counter = counters[key]
        counter.owed = _EXACT.add(counter.owed, due.value)
        # a correction may have left more charged than is owed: that pays for what comes next
        wanted.append(max(int(counter.owed) - charged[key], 0))
        charged[key] += wanted[-1]
    return wanted


def _spends(
    catalog: Catalog, workspace_id: UUID, dues: Sequence[UsageDueRow], wanted: Sequence[int]
) -> list[tuple[Spend, tuple[str, UUID | None]]]:
    """A spend for each resource and subject, in the order in which they were used first."""
    amounts: dict[tuple[str, UUID | None], int] = {}
    for due, want in zip(dues, wanted, strict=True):
        if want:
            key = due.resource, due.subject_id
            amounts[key] = amounts.get(key, 0) + want
    return [(_spend(catalog, workspace_id, amount, *key), key) for key, amount in amounts.items()]


def _spend(catalog: Catalog, workspace_id: UUID, amount: int, resource: str, subject_id: UUID | None) -> Spend:
    known = catalog.resource(resource)
    description = f"{known.name if known is not None else resource} past what the plan includes"
    return Spend(
        workspace_id=workspace_id, amount=amount, description=description, resource=resource, subject_id=subject_id
    )


async def _book(session: Session, counter: UsageCounterRow, due: UsageDueRow, *, want: int, paid: int) -> None:
    """Write into the counter what was paid of a due; what was not is unpaid, and owed no longer."""
    counter.charged += paid
    if paid < want:
        short = _EXACT.divide(Decimal(want - paid), _EXACT.divide(due.value, due.units))
        units = min(short.quantize(_UNIT_STEP, rounding=ROUND_DOWN, context=_EXACT), due.units)
        counter.unpaid += units
        counter.owed = _EXACT.subtract(counter.owed, Decimal(want - paid))
    if paid and due.subject_id is not None:
        await usage_due_store.charge_subject(
            session, due.workspace_id, due.period_start, due.resource, due.subject_id, paid
        )
