"""The usage of the billing page as a team would first write it: see `bench.page_naive`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.db.tables.usage import UsageCounterRow, UsageDayRow, UsageGaugeRow, UsageStateRow
from app.db.tables.workspaces import WorkspaceRow


class _Parts:
    """What the fields work with."""

    sessions: async_sessionmaker[AsyncSession]
    resources: Sequence[Sequence[Any]]


@strawberry.type
class UsageResource:
    code: str
    name: str


@strawberry.type
class UsagePoint:
    day: date
    used: Decimal


@strawberry.type
class Period:
    start: datetime
    end: datetime


@strawberry.type
class UsageBar:
    id: strawberry.ID
    state: strawberry.Private[UsageStateRow]
    started_at: strawberry.Private[datetime]
    is_gauge: strawberry.Private[bool]
    resource: UsageResource
    used: Decimal
    limit: Decimal | None
    overage: Decimal
    credits_spent: int
    unpaid_overage: Decimal
    resets_at: datetime | None

    @strawberry.field
    def remaining(self) -> Decimal | None:
        return max(Decimal(0), self.limit - self.used) if self.limit is not None else None

    @strawberry.field
    def ratio(self) -> float | None:
        return float(self.used / self.limit) if self.limit else None

    @strawberry.field
    def level(self) -> str:
        ratio = self.used / self.limit if self.limit else 0
        if ratio >= 1:
            return "EXCEEDED"
        return "CRITICAL" if ratio >= Decimal("0.95") else "WARNING" if ratio >= Decimal("0.8") else "NORMAL"

    @strawberry.field
    async def series(self) -> list[UsagePoint]:
        of_resource = (
            UsageDayRow.workspace_id == self.state.workspace_id,
            UsageDayRow.resource == self.resource.code,
        )
        query = select(UsageDayRow).where(*of_resource, UsageDayRow.period_start == self.started_at)
        before = select(UsageDayRow).where(*of_resource, UsageDayRow.period_start < self.started_at)
        before = before.order_by(UsageDayRow.period_start.desc(), UsageDayRow.day.desc()).limit(1)
        async with _Parts.sessions() as session:
            rows = (await session.scalars(query)).all()
            last = (await session.scalars(before)).one_or_none() if self.is_gauge else None
        used = {row.day: row.used for row in rows}
        level = last.used if last is not None else Decimal(0)
        points: list[UsagePoint] = []
        day = self.started_at.date()
        while day <= datetime.now(UTC).date():
            level = used.get(day, level if self.is_gauge else Decimal(0))
            points.append(UsagePoint(day=day, used=level))
            day += timedelta(days=1)
        return points


@strawberry.type
class Usage:
    id: strawberry.ID
    state: strawberry.Private[UsageStateRow]
    period: Period
    version: str

    @strawberry.field
    async def bars(self) -> list[UsageBar]:
        return [await self._bar(*each) for each in _Parts.resources]

    async def _bar(self, code: str, name: str, is_gauge: bool, limit: str | None) -> UsageBar:
        workspace_id = self.state.workspace_id
        allowance = Decimal(limit) if limit is not None else None
        async with _Parts.sessions() as session:
            gauge = await session.get(UsageGaugeRow, (workspace_id, code)) if is_gauge else None
            row = await session.get(UsageCounterRow, (workspace_id, self.period.start, code)) if not is_gauge else None
        nothing = Decimal(0)
        above = max(nothing, gauge.level - allowance) if gauge is not None and allowance is not None else nothing
        return UsageBar(
            id=strawberry.ID(code),
            state=self.state,
            started_at=self.period.start,
            is_gauge=is_gauge,
            resource=UsageResource(code=code, name=name),
            used=gauge.level if gauge is not None else row.used if row is not None else nothing,
            limit=row.allowance if row is not None else allowance,
            overage=row.overage if row is not None else above,
            credits_spent=row.charged if row is not None else 0,
            unpaid_overage=row.unpaid if row is not None else above,
            resets_at=self.period.end if not is_gauge else None,
        )


async def usage_of(workspace: WorkspaceRow) -> Usage | None:
    """The usage of a workspace; None for one that never used anything."""
    now = datetime.now(UTC)
    counted = (UsageCounterRow.workspace_id == workspace.id, UsageCounterRow.period_start <= now)
    query = select(UsageCounterRow).where(*counted).order_by(UsageCounterRow.period_start.desc()).limit(1)
    async with _Parts.sessions() as session:
        state = await session.get(UsageStateRow, workspace.id)
        last = (await session.scalars(query)).one_or_none()
    if state is None or last is None:
        return None
    return Usage(
        id=strawberry.ID(str(workspace.id)),
        state=state,
        period=Period(start=last.period_start, end=last.period_end),
        version=str(state.version),
    )


def use(sessions: async_sessionmaker[AsyncSession], resources: Sequence[Sequence[Any]]) -> None:
    """What the fields work with from now on."""
    _Parts.sessions, _Parts.resources = sessions, resources
