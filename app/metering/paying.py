"""Paying with credits for what was used past the plan.

Counting leaves a row for it (`usage_dues`), and paying takes the row away in the transaction that spends the credits: whatever
crashes in between, nothing stays unpaid and nothing is paid twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from app.catalog import Catalog
from app.db.engine import Database, Session, is_away
from app.db.tables.usage import UsageCounterRow, UsageDueRow
from app.db.unit_of_work import transact
from app.ledger.movements import Spend
from app.ledger.post_movements import spend_what_there_is
from app.metering.usage_events import MOST_FRACTION_DIGITS
from app.money import EXACT, MAX_STEPS
from app.store import usage_dues as usage_due_store
from app.store import usage_states as usage_state_store
from app.store.usage_dues import CounterKey

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DUES_AT_ONCE: Final = 1_000
_WORKSPACES_AT_ONCE: Final = 50
_LEFT_AFTER: Final = timedelta(seconds=5)
_UNIT_STEP: Final = Decimal(1).scaleb(-MOST_FRACTION_DIGITS)

Payer: TypeAlias = tuple[UUID, str, UUID | None]
"""Whose spend it is: the workspace, the resource and the subject."""


async def pay_usage(database: Database, catalog: Catalog, workspace_ids: Collection[UUID]) -> None:
    """Pay what workspaces used past their plans, as far as their credits go; the rest is unpaid for good."""
    ordered = sorted(workspace_ids)
    for start in range(0, len(ordered), _WORKSPACES_AT_ONCE):
        some = ordered[start : start + _WORKSPACES_AT_ONCE]
        try:
            await _pay_all(database, catalog, some)
        except Exception as error:
            if is_away(error):
                raise
            # what is wrong with one is to keep no other from being paid
            for workspace_id in some:
                await _pay_alone(database, catalog, workspace_id)


async def _pay_all(database: Database, catalog: Catalog, workspace_ids: Collection[UUID]) -> None:
    while await transact(database, partial(_pay, catalog, workspace_ids), step="usage.pay") == _DUES_AT_ONCE:
        pass


async def _pay_alone(database: Database, catalog: Catalog, workspace_id: UUID) -> None:
    try:
        await _pay_all(database, catalog, [workspace_id])
    except Exception as error:
        if is_away(error):
            raise
        _log.error("usage.not_payable", workspace=str(workspace_id), exc_info=error)


async def pay_left(database: Database, catalog: Catalog, *, limit: int) -> int:
    """Pay what a call counted and did not come to pay, in at most `limit` workspaces; returns in how many."""
    async with database.read() as session:
        owing = await usage_due_store.owing(session, before=session.now - _LEFT_AFTER, limit=limit)
    await pay_usage(database, catalog, owing)
    return len(owing)


async def next_left_at(session: Session) -> datetime | None:
    """When something that was not paid by its call is paid by the worker."""
    oldest = await usage_due_store.oldest_at(session)
    return oldest + _LEFT_AFTER if oldest is not None else None


async def _pay(catalog: Catalog, workspace_ids: Collection[UUID], session: Session) -> int:
    """Pay the oldest dues; returns how many there were."""
    states = await usage_state_store.lock_all(session, workspace_ids)
    dues = await usage_due_store.waiting(session, workspace_ids, limit=_DUES_AT_ONCE)
    counters = await usage_due_store.counters_of(session, {_key(due) for due in dues})
    wanted = _wanted(dues, counters)
    amounts: dict[Payer, int] = {}
    for due, want in zip(dues, wanted, strict=True):
        if want:
            # no balance holds more, and what there is not is not spent
            amounts[_payer(due)] = min(amounts.get(_payer(due), 0) + want, MAX_STEPS)
    spent = await spend_what_there_is(session, [_spend(catalog, payer, steps) for payer, steps in amounts.items()])
    left = dict(zip(amounts, spent, strict=True))
    charged: dict[tuple[CounterKey, UUID], int] = {}
    for due, want in zip(dues, wanted, strict=True):
        paid = min(want, left.get(_payer(due), 0))
        left[_payer(due)] = left.get(_payer(due), 0) - paid
        _book(counters[_key(due)], due, want=want, paid=paid)
        if paid and due.subject_id is not None:
            of = _key(due), due.subject_id
            charged[of] = charged.get(of, 0) + paid
    await usage_due_store.charge_subjects(session, charged)
    await usage_due_store.remove(session, dues)
    for workspace_id in {due.workspace_id for due in dues}:
        usage_state_store.changed(session, states[workspace_id])
    return len(dues)


def _key(due: UsageDueRow) -> CounterKey:
    return CounterKey(due.workspace_id, due.period_start, due.resource)


def _payer(due: UsageDueRow) -> Payer:
    return due.workspace_id, due.resource, due.subject_id


def _wanted(dues: Sequence[UsageDueRow], counters: Mapping[CounterKey, UsageCounterRow]) -> list[int]:
    """The whole steps that are to be charged for each due: what a period owes rounds down over all of it, less what was charged."""
    charged = {key: counter.charged for key, counter in counters.items()}
    wanted: list[int] = []
    for due in dues:
        counter = counters[_key(due)]
        counter.owed = EXACT.add(counter.owed, due.value)
        # a correction may have left more charged than is owed: that pays for what comes next
        wanted.append(max(int(counter.owed) - charged[_key(due)], 0))
        charged[_key(due)] += wanted[-1]
    return wanted


def _spend(catalog: Catalog, payer: Payer, steps: int) -> Spend:
    workspace_id, resource, subject_id = payer
    known = catalog.resource(resource)
    description = f"{known.name if known is not None else resource} past what the plan includes"
    return Spend(
        workspace_id=workspace_id, amount=steps, description=description, resource=resource, subject_id=subject_id
    )


def _book(counter: UsageCounterRow, due: UsageDueRow, *, want: int, paid: int) -> None:
    """Write into the counter what was paid of a due; what was not is unpaid, and owed no longer."""
    counter.charged += paid
    if paid < want:
        short = EXACT.divide(Decimal(want - paid), EXACT.divide(due.value, due.units))
        units = short.quantize(_UNIT_STEP, rounding=ROUND_DOWN, context=EXACT)
        counter.unpaid = min(EXACT.add(counter.unpaid, units), counter.overage)
        counter.owed = EXACT.subtract(counter.owed, Decimal(want - paid))
