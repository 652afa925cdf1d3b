"""A workspace whose usage is recorded, driven through the public doors, at a time that the test decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from app.catalog import Catalog, load_catalog
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.usage import SubjectUsageRow, UsageCounterRow, UsageDayRow, UsageGaugeRow, UsageSubjectRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Kind, Source
from app.ledger.movements import Grant, Transaction
from app.ledger.post_movements import post_one
from app.metering.ingest import record_usage
from app.metering.usage_events import RecordedUsage, UsageEvent
from tests.ledger.workspace import StoppedClock

_CATALOGS = Path(__file__).parents[2] / "catalogs"
START = datetime(2030, 1, 10, 12, 30, tzinfo=UTC)


def catalog(name: str = "analytics") -> Catalog:
    """A catalog that ships."""
    return load_catalog(_CATALOGS / f"{name}.toml")


@dataclass
class Metered:
    """A new workspace on the fallback plan in `database`, with a clock of its own that stands at `START`."""

    database: Database
    catalog: Catalog = field(default_factory=catalog)
    id: UUID = field(default_factory=uuid7)
    clock: StoppedClock = field(default_factory=lambda: StoppedClock(moment=START))

    def __post_init__(self) -> None:
        self.database = Database(self.database.engine, self.clock)

    async def open(self, external_id: str | None = None) -> Metered:
        """The same, once the workspace is there."""

        async def make(session: Session) -> None:
            session.add(
                WorkspaceRow(
                    id=self.id,
                    kind="ORGANIZATION",
                    name="Acme",
                    handle=f"acme-{self.id.hex}",
                    external_id=external_id,
                    created_by=uuid4(),
                    created_at=session.now,
                    version=1,
                )
            )

        await transact(self.database, make)
        return self

    def wait(self, **duration: float) -> None:
        """Let time pass."""
        self.clock.moment += timedelta(**duration)

    def event(
        self,
        quantity: int | str | Decimal = 1,
        resource: str = "enrichments",
        *,
        event_id: str | None = None,
        at: datetime | None = None,
        subject: str | None = None,
    ) -> UsageEvent:
        """Something that was used here."""
        return UsageEvent(self.id, None, resource, Decimal(quantity), event_id or uuid4().hex, at, subject)

    async def record(self, *events: UsageEvent) -> RecordedUsage:
        """Report events."""
        return await record_usage(self.database, self.catalog, events)

    async def use(self, quantity: int | str | Decimal, resource: str = "enrichments", **more: Any) -> None:
        """Report one event, which must be accepted."""
        recorded = await self.record(self.event(quantity, resource, **more))
        assert (recorded.accepted, recorded.rejected) == (1, [])

    async def grant(self, steps: int, *, expires_at: datetime | None = None) -> None:
        """Give credits."""
        given = Grant(
            workspace_id=self.id, amount=steps, source=Source.ADJUSTMENT, description="A gift", expires_at=expires_at
        )
        await transact(self.database, lambda session: post_one(session, given))

    async def available(self) -> int:
        """The steps that can be spent."""
        return (await ledger_reads.balance(Reads(self.database), self.id)).available

    async def spends(self) -> list[Transaction]:
        """What was spent, the newest first."""
        found = await ledger_reads.history(Reads(self.database), self.id, first=1_000, kind=Kind.USAGE)
        return list(found.transactions)

    async def counters(self, resource: str = "enrichments") -> list[UsageCounterRow]:
        """A resource's counters, the oldest period first."""
        query = select(UsageCounterRow).where(
            UsageCounterRow.workspace_id == self.id, UsageCounterRow.resource == resource
        )
        async with self.database.read() as session:
            return list(await session.scalars(query.order_by(UsageCounterRow.period_start)))

    async def counter(self, resource: str = "enrichments") -> UsageCounterRow:
        """A resource's only counter."""
        [row] = await self.counters(resource)
        return row

    async def level(self, resource: str = "storage") -> Decimal:
        """The level of a gauge."""
        async with self.database.read() as session:
            row = await session.get(UsageGaugeRow, (self.id, resource))
            assert row is not None
            return row.level

    async def days(self, resource: str = "enrichments") -> dict[str, Decimal]:
        """What was used a day."""
        query = select(UsageDayRow.day, func.sum(UsageDayRow.used)).group_by(UsageDayRow.day).order_by(UsageDayRow.day)
        mine = query.where(UsageDayRow.workspace_id == self.id, UsageDayRow.resource == resource)
        async with self.database.read() as session:
            return {day.isoformat(): used for day, used in await session.execute(mine)}

    async def by_subject(self, resource: str = "enrichments") -> dict[str, tuple[Decimal, int]]:
        """What each subject used in all periods, and the steps that were charged for it."""
        query = (
            select(UsageSubjectRow.name, func.sum(SubjectUsageRow.used), func.sum(SubjectUsageRow.charged))
            .join(
                SubjectUsageRow,
                (SubjectUsageRow.workspace_id == UsageSubjectRow.workspace_id)
                & (SubjectUsageRow.subject_id == UsageSubjectRow.id),
            )
            .where(SubjectUsageRow.workspace_id == self.id, SubjectUsageRow.resource == resource)
            .group_by(UsageSubjectRow.name)
        )
        async with self.database.read() as session:
            return {name: (used, charged) for name, used, charged in await session.execute(query)}
