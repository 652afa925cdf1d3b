"""Mailing owners that a bar has passed a level: counting leaves a row for it, and whoever mails it marks the row."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from app.billing.allowances.usage_periods import UsagePeriod, usage_period
from app.billing.subscriptions.owner_notices import Notice, tell_at_once
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Catalog, Resource
from app.db.engine import Session
from app.db.tables.usage import UsageCounterRow, UsageGaugeRow, UsageWarningRow
from app.metering.bars import EXCEEDED_PERCENT
from app.money import EXACT
from app.store import usage_states as usage_state_store
from app.store import usage_warnings as usage_warning_store
from app.store import workspaces as workspace_store


async def tell_owners(session: Session, catalog: Catalog, workspace_id: UUID) -> None:
    """Have the owners of a workspace mailed what bars have passed since they were told last: the highest level of each bar.

    A level in a period that has ended meanwhile, or that a higher limit has undone, is mailed no more.
    """
    await usage_state_store.lock(session, workspace_id)
    anchor = await workspace_store.usage_anchor(session, workspace_id)
    if anchor is None:
        return
    period = usage_period(anchor, session.now)
    rows = await usage_warning_store.untold(session, workspace_id)
    for row in _highest(row for row in rows if row.period_start == period.start):
        resource = catalog.resource(row.resource)
        if resource is not None:
            await _tell(session, catalog, row, resource, period)
    for row in rows:
        row.told_at = session.now


def _highest(rows: Iterable[UsageWarningRow]) -> list[UsageWarningRow]:
    highest: dict[str, UsageWarningRow] = {}
    for row in rows:
        known = highest.get(row.resource)
        if known is None or known.level < row.level:
            highest[row.resource] = row
    return list(highest.values())


async def _tell(
    session: Session, catalog: Catalog, row: UsageWarningRow, resource: Resource, period: UsagePeriod
) -> None:
    used, limit, is_paid = await _standing(session, catalog, row, resource)
    if not limit or EXACT.multiply(used, Decimal(100)) < EXACT.multiply(limit, Decimal(row.level)):
        return
    facts = {
        "resource": resource.name,
        "unit": resource.unit,
        "used": _written(used),
        "limit": _written(limit),
        "percent": str(row.level),
        "past": "credits" if is_paid else "host",
    }
    notice = Notice.LIMIT_REACHED if row.level >= EXCEEDED_PERCENT else Notice.LIMIT_NEAR
    until = None if resource.is_gauge else period.end
    tell_at_once(session, row.workspace_id, notice, until=until, facts=facts)


async def _standing(
    session: Session, catalog: Catalog, row: UsageWarningRow, resource: Resource
) -> tuple[Decimal, Decimal | None, bool]:
    """What is used, of how much, and whether credits pay for more."""
    if not resource.is_gauge:
        counter = await session.get(UsageCounterRow, (row.workspace_id, row.period_start, row.resource))
        if counter is None:
            return Decimal(0), None, False
        return counter.used, counter.allowance, counter.price is not None
    gauge = await session.get(UsageGaugeRow, (row.workspace_id, row.resource))
    allowance = (await plan_of(session, catalog, row.workspace_id)).allowance(row.resource)
    level = gauge.level if gauge is not None else Decimal(0)
    return level, allowance.limit if allowance is not None else None, False


def _written(quantity: Decimal) -> str:
    return f"{EXACT.normalize(quantity):,f}"
