"""The bars of a workspace's usage: how much of each resource is used in the running period, and of how much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from app.billing.allowances.limits import Counted, Limit
from app.billing.allowances.usage_periods import UsagePeriod, usage_period
from app.billing.subscriptions.lapsed_plans import limits_seen
from app.catalog import Catalog, Resource
from app.db.reads import Reads
from app.errors import NotFound
from app.metering.usage_series import DailyUse, counter_series, gauge_series
from app.metering.use_by_subject import MostUse, Used
from app.money import EXACT
from app.store import subscriptions as subscription_store
from app.store import usage_reads as usage_read_store
from app.store.usage_reads import Counted as CountedRow
from app.store.usage_reads import DaysOfUse, UseBySubject

WARNING_PERCENT: Final = 80
CRITICAL_PERCENT: Final = 95
EXCEEDED_PERCENT: Final = 100

_NOTHING: Final = Decimal(0)


class UsageLevel(StrEnum):
    """How near a bar is to its limit."""

    NORMAL = "NORMAL"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    EXCEEDED = "EXCEEDED"


_LEVELS: Final = (
    (EXCEEDED_PERCENT, UsageLevel.EXCEEDED),
    (CRITICAL_PERCENT, UsageLevel.CRITICAL),
    (WARNING_PERCENT, UsageLevel.WARNING),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBar:
    """What is used of a resource in a period.

    `limit` is None without one. `price` is what a unit past it costs in steps of the credit unit, None where credits can't pay.
    `overage` is what went past the limit, `unpaid` the part of it that nothing pays for, `owed` the exact steps that it costs, and
    `charged` the whole steps that paid for it. `series` is empty where it was not asked for, `most_use` None.
    """

    workspace_id: UUID
    period: UsagePeriod
    resource: Resource
    used: Decimal
    limit: Decimal | None
    price: Decimal | None
    overage: Decimal
    unpaid: Decimal
    owed: Decimal
    charged: int
    series: Sequence[DailyUse] = ()
    most_use: MostUse | None = None

    @property
    def whole(self) -> Used:
        """All of the use, of which each subject has a part."""
        return Used(self.resource.code, None if self.resource.is_gauge else self.period.start, self.used, self.charged)

    @property
    def remaining(self) -> Decimal | None:
        """What is left of the limit."""
        return max(_NOTHING, EXACT.subtract(self.limit, self.used)) if self.limit is not None else None

    @property
    def ratio(self) -> Fraction | None:
        """What part of the limit is used; may pass 1. None without a limit, and where nothing is included."""
        return Fraction(self.used) / Fraction(self.limit) if self.limit else None

    @property
    def level(self) -> UsageLevel:
        """How near the limit is. Where nothing is included it is exceeded by the first use."""
        if self.limit is None or not self.used:
            return UsageLevel.NORMAL
        used = EXACT.multiply(self.used, Decimal(100))
        reached = (level for percent, level in _LEVELS if used >= EXACT.multiply(self.limit, Decimal(percent)))
        return next(reached, UsageLevel.NORMAL)

    @property
    def resets_at(self) -> datetime | None:
        """When it starts anew; None for a gauge, which keeps its level."""
        return None if self.resource.is_gauge else self.period.end


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workspace uses in the period that is running, in the order of the catalog's resources.

    `version` rises with every change, and with each period.
    """

    workspace_id: UUID
    period: UsagePeriod
    bars: Sequence[UsageBar]
    version: int

    def bar(self, resource: str) -> UsageBar | None:
        """The bar of a resource; None for one that today's catalog lacks."""
        return next((bar for bar in self.bars if bar.resource.code == resource), None)


async def read_usage(
    reads: Reads, catalog: Catalog, workspace_id: UUID, *, with_series: bool = False, subjects: int = 0
) -> Usage:
    """A workspace's usage, all of it of one moment; with `subjects` also who used most, at most so many of each resource.

    Raises `NotFound` where there is no such workspace.
    """
    now = reads.now
    subscribed, rows, days, uses = await asyncio.gather(
        reads.one_of(subscription_store.SUBSCRIBED, workspace_id),
        reads.all_of(usage_read_store.COUNTED, (workspace_id, now)),
        _days(reads, workspace_id, now) if with_series else _nothing(),
        _uses(reads, workspace_id, now, subjects) if subjects else _nothing(),
    )
    if subscribed is None:
        raise NotFound
    period = usage_period(subscribed, now)
    counters = {row.resource: row for row in rows if row.resource and row.period_start == period.start}
    gauges = {row.resource: row for row in rows if row.resource and row.period_start is None}
    counted = {code: Counted(row.used, row.allowance, row.price) for code, row in counters.items()}
    followed = rows[0].followed if rows else None
    limits = await limits_seen(reads, catalog, subscribed, followed=followed, counted=counted)

    def bar(resource: Resource) -> UsageBar:
        row = (gauges if resource.is_gauge else counters).get(resource.code)
        made = _bar(workspace_id, period, resource, row, limits[resource.code])
        most = MostUse.of(uses, made.whole, subjects) if subjects else None
        return replace(made, series=_series(made, days, now) if with_series else (), most_use=most)

    version = (rows[0].version if rows else 0) + period.ordinal
    return Usage(workspace_id, period, [bar(resource) for resource in catalog.resources], version)


async def _days(reads: Reads, workspace_id: UUID, now: datetime) -> Sequence[DaysOfUse]:
    return await reads.all_of(usage_read_store.DAYS_OF_USE, (workspace_id, now))


async def _uses(reads: Reads, workspace_id: UUID, now: datetime, most: int) -> Sequence[UseBySubject]:
    return await reads.all_of(usage_read_store.USE_BY_SUBJECT, (workspace_id, now, most))


async def _nothing() -> Sequence[Any]:
    return ()


def _bar(workspace_id: UUID, period: UsagePeriod, resource: Resource, row: CountedRow | None, limit: Limit) -> UsageBar:
    used = row.used if row is not None else _NOTHING
    overage, unpaid = (row.overage, row.unpaid) if row is not None else (_NOTHING, _NOTHING)
    if resource.is_gauge and limit.allowance is not None:
        # what a gauge is above its limit is not bought: it is there as long as the level is
        overage = unpaid = max(_NOTHING, EXACT.subtract(used, limit.allowance))
    return UsageBar(
        workspace_id=workspace_id,
        period=period,
        resource=resource,
        used=used,
        limit=limit.allowance,
        price=limit.price if not resource.is_gauge else None,
        overage=overage,
        unpaid=unpaid,
        owed=row.owed if row is not None else _NOTHING,
        charged=row.charged if row is not None else 0,
    )


def _series(bar: UsageBar, days: Sequence[DaysOfUse], now: datetime) -> tuple[DailyUse, ...]:
    code = bar.resource.code
    if bar.resource.is_gauge:
        return gauge_series(days, code, bar.period, now, bar.used)
    return counter_series(days, code, bar.period, now)
