"""Putting right what was counted, by an operator: more of a counter, or less."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import OPERATOR
from app.billing.allowances.limits import limit_of
from app.billing.allowances.usage_periods import UsagePeriod, usage_period
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Catalog, Resource
from app.db.engine import Session
from app.db.tables.usage import UsageCounterRow
from app.errors import InvalidInput, NotFound
from app.metering.usage_events import WARN_AT, check_quantity
from app.money import EXACT
from app.store import usage_counters as usage_counter_store
from app.store import usage_dues as usage_due_store
from app.store import usage_states as usage_state_store
from app.store import usage_subjects as usage_subject_store
from app.store import usage_warnings as usage_warning_store
from app.store import workspaces as workspace_store
from app.store.usage_counters import NewCounter

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedUse:
    """What a counter said of a period, and says now. `paid_back` are the steps that had been charged for what is taken back: they
    pay for what goes past the plan next in that period.
    """

    resource: Resource
    period: UsagePeriod
    before: Decimal
    after: Decimal
    overage: Decimal
    paid_back: int


async def correct_use(
    session: Session,
    catalog: Catalog,
    workspace_id: UUID,
    *,
    resource: str,
    change: Decimal,
    at: datetime,
    reason: str,
    subject: str | None = None,
) -> CorrectedUse:
    """Count so much more, or less where `change` is negative, in the period that a time is in; an operator does it.

    What is added is paid for as if it were used now; of what is taken back, what lay past the plan goes first, and of that what
    was unpaid. Raises `InvalidInput` for a gauge, an unknown resource, a time to come, and for more than was counted, of the
    subject or without one.
    """
    known = _counter(catalog, resource)
    check_quantity(abs(change))
    if not change:
        raise InvalidInput("A correction of zero changes nothing.")
    if at > session.now:
        raise InvalidInput("What is to come can't be corrected.")
    state = await usage_state_store.lock(session, workspace_id)
    anchor = await workspace_store.usage_anchor(session, workspace_id)
    if anchor is None:
        raise NotFound
    period = usage_period(anchor, at)
    row = await _row(session, catalog, workspace_id, period, resource)
    before, ahead = row.used, _charged_ahead(row)
    if change > 0:
        await _add(session, row, change, subject)
    else:
        _take_back(row, -change)
    await _correct_days(session, row, change, at.astimezone(UTC).date())
    if subject is not None:
        await _correct_subject(session, row, change, subject)
    await _check_subjects(session, row)
    if period.start <= session.now < period.end:
        await usage_warning_store.put(session, row, WARN_AT)
    usage_state_store.changed(session, state)
    after = {
        "resource": resource,
        "from": period.start.isoformat(),
        "change": f"{change:f}",
        "used": f"{row.used:f}",
        "overage": f"{row.overage:f}",
        "reason": reason,
    }
    summary = "An operator corrected what was used."
    await audit_log.record(
        session, workspace_id, OPERATOR, "usage.corrected", summary, before={"used": f"{before:f}"}, after=after
    )
    return CorrectedUse(
        resource=known,
        period=period,
        before=before,
        after=row.used,
        overage=row.overage,
        paid_back=max(_charged_ahead(row) - ahead, 0),
    )


def _charged_ahead(row: UsageCounterRow) -> int:
    """The steps that were charged beyond what is owed."""
    return max(row.charged - max(int(row.owed), 0), 0)


def _counter(catalog: Catalog, resource: str) -> Resource:
    known = catalog.resource(resource)
    if known is None:
        raise InvalidInput(f"The catalog has no resource {resource!r}.")
    if known.is_gauge:
        raise InvalidInput(f"{known.name} is a gauge: report the level that is right.")
    return known


async def _row(
    session: Session, catalog: Catalog, workspace_id: UUID, period: UsagePeriod, resource: str
) -> UsageCounterRow:
    """The counter of a period, made with the limit of the present plan where there is none."""
    plan = await plan_of(session, catalog, workspace_id)
    await usage_counter_store.put(
        session, workspace_id, [NewCounter(*period, resource, *limit_of(catalog, plan, resource))]
    )
    row = await session.get(UsageCounterRow, (workspace_id, period.start, resource), populate_existing=True)
    if row is None:
        raise LookupError("a counter that was just made is gone")
    return row


async def _add(session: Session, row: UsageCounterRow, quantity: Decimal, subject: str | None) -> None:
    then = EXACT.add(row.used, quantity)
    past = _NOTHING
    if row.allowance is not None:
        past = max(_NOTHING, EXACT.subtract(then, max(row.allowance, row.used)))
    row.used, row.overage = then, EXACT.add(row.overage, past)
    if past and row.price is None:
        row.unpaid = EXACT.add(row.unpaid, past)
    elif past and row.price is not None:
        subject_id = await _subject_id(session, row, subject) if subject is not None else None
        value = EXACT.multiply(past, row.price)
        usage_due_store.add(session, row, units=past, value=value, subject_id=subject_id)


def _take_back(row: UsageCounterRow, quantity: Decimal) -> None:
    if quantity > row.used:
        raise InvalidInput(f"Only {row.used.normalize():f} were counted in this period.")
    past = min(quantity, row.overage)
    unpaid = min(past, row.unpaid)
    row.used = EXACT.subtract(row.used, quantity)
    row.overage = EXACT.subtract(row.overage, past)
    row.unpaid = EXACT.subtract(row.unpaid, unpaid)
    if row.price is not None:
        row.owed = EXACT.subtract(row.owed, EXACT.multiply(EXACT.subtract(past, unpaid), row.price))


async def _correct_days(session: Session, row: UsageCounterRow, change: Decimal, day: date) -> None:
    """Change the use of a day; what is taken back beyond it comes from the other days, the latest first."""
    if change > 0:
        await usage_counter_store.add_to_day(session, row, day, change)
        return
    left = -change
    days = await usage_counter_store.days_of(session, row)
    for each in sorted(days, key=lambda each: (each.day == day, each.day), reverse=True):
        taken = min(left, each.used)
        each.used = EXACT.subtract(each.used, taken)
        left = EXACT.subtract(left, taken)


async def _correct_subject(session: Session, row: UsageCounterRow, change: Decimal, subject: str) -> None:
    subject_id = await _subject_id(session, row, subject)
    used = await usage_counter_store.add_to_subject(session, row, subject_id, change)
    if used < 0:
        raise InvalidInput(f"{subject!r} used less than that in this period.")


async def _check_subjects(session: Session, row: UsageCounterRow) -> None:
    """Raise `InvalidInput` where subjects would have used more than was used in all."""
    named = await usage_counter_store.used_by_subjects(session, row)
    if named > row.used:
        raise InvalidInput(f"Subjects used {named.normalize():f} of it: say with a subject whose use is taken back.")


async def _subject_id(session: Session, row: UsageCounterRow, subject: str) -> UUID:
    named = await usage_subject_store.named(session, [(row.workspace_id, subject)])
    if not named:
        raise InvalidInput(f"The workspace has no subject {subject!r}.")
    return named[0].id
