"""One workspace's ledger, driven through the public doors, at a time that the test decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.clock import Clock
from app.db.engine import Database
from app.db.reads import Reads
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Source
from app.ledger.ledger_reads import Balance
from app.ledger.movements import (
    Capture,
    Clawback,
    Grant,
    Hold,
    Key,
    Movement,
    Posted,
    Refusal,
    Reinstate,
    Release,
    Spend,
    Transaction,
)
from app.ledger.post_movements import DuePosted, post, post_due, post_one
from app.ledger.verify import Report, verify

START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class StoppedClock(Clock):
    """A clock that a test moves."""

    moment: datetime = START

    def now(self) -> datetime:
        return self.moment


@dataclass
class Workspace:
    """A new workspace in `database`, with a clock of its own."""

    database: Database
    id: UUID = field(default_factory=uuid7)
    clock: StoppedClock = field(default_factory=StoppedClock)

    def __post_init__(self) -> None:
        self.database = Database(self.database.engine, self.clock)

    def wait(self, **duration: float) -> None:
        """Let time pass."""
        self.clock.moment += timedelta(**duration)

    def in_time(self, **duration: float) -> datetime:
        """The time it will be then."""
        return self.clock.moment + timedelta(**duration)

    async def do(self, movement: Movement) -> Posted:
        """Post one movement in a transaction; raises its refusal."""
        return await transact(self.database, lambda session: post_one(session, movement))

    async def do_all(self, *movements: Movement) -> list[Posted | Refusal]:
        """Post movements in one transaction."""
        return await transact(self.database, lambda session: post(session, movements))

    async def grant(
        self,
        amount: int,
        *,
        expires_at: datetime | None = None,
        source: Source = Source.PROMOTION,
        purchase_id: UUID | None = None,
        key: Key | None = None,
    ) -> Posted:
        return await self.do(
            Grant(
                workspace_id=self.id,
                amount=amount,
                source=source,
                description="Grant",
                expires_at=expires_at,
                purchase_id=purchase_id,
                key=key,
            )
        )

    async def buy(self, amount: int, *, expires_at: datetime | None = None) -> UUID:
        """Credits from a purchase, whose id is returned."""
        purchase_id = uuid7()
        await self.grant(amount, source=Source.PURCHASE, purchase_id=purchase_id, expires_at=expires_at)
        return purchase_id

    async def spend(self, amount: int, *, subject_id: UUID | None = None, key: Key | None = None) -> Posted:
        return await self.do(
            Spend(
                workspace_id=self.id,
                amount=amount,
                description="Use",
                resource="runs",
                subject_id=subject_id,
                key=key,
            )
        )

    async def hold(
        self,
        amount: int,
        *,
        minutes: int = 10,
        resource: str | None = None,
        subject_id: UUID | None = None,
        key: Key | None = None,
    ) -> UUID:
        """Credits held, whose hold's id is returned."""
        movement = Hold(
            workspace_id=self.id,
            amount=amount,
            expires_at=self.in_time(minutes=minutes),
            description="Job",
            resource=resource,
            subject_id=subject_id,
            key=key,
        )
        await self.do(movement)
        return movement.id

    async def capture(self, hold_id: UUID, amount: int, *, key: Key | None = None) -> Posted:
        return await self.do(Capture(workspace_id=self.id, hold_id=hold_id, amount=amount, key=key))

    async def release(self, hold_id: UUID) -> Posted:
        return await self.do(Release(workspace_id=self.id, hold_id=hold_id))

    async def claw_back(self, purchase_id: UUID, amount: int) -> Posted:
        return await self.do(
            Clawback(workspace_id=self.id, purchase_id=purchase_id, amount=amount, description="Refund")
        )

    async def reinstate(self, purchase_id: UUID, amount: int) -> Posted:
        return await self.do(
            Reinstate(workspace_id=self.id, purchase_id=purchase_id, amount=amount, description="Dispute won")
        )

    async def settle_due(self) -> DuePosted:
        """What the worker does every second."""
        return await transact(self.database, post_due)

    async def balance(self) -> Balance:
        return await ledger_reads.balance(Reads(self.database), self.id)

    async def history(self) -> list[tuple[str, int, int, int]]:
        """Kind, amount, balance after and held after of each transaction, oldest first."""
        return [(line.kind.value, line.amount, line.balance_after, line.held_after) for line in await self._lines()]

    async def uses(self) -> list[tuple[str | None, UUID | None]]:
        """Resource and subject of each transaction, oldest first."""
        return [(line.resource, line.subject_id) for line in await self._lines()]

    async def _lines(self) -> list[Transaction]:
        newest_first = (await ledger_reads.history(Reads(self.database), self.id, first=1000)).transactions
        assert [line.sequence for line in newest_first] == list(range(len(newest_first), 0, -1))
        return list(reversed(newest_first))

    async def remaining(self) -> list[int]:
        """What remains of each open grant, in spending order."""
        return [grant.remaining for grant in (await self.balance()).grants]


async def proof(database: Database) -> Report:
    """The verdict on the whole ledger."""
    async with database.read() as session:
        return await verify(session)
