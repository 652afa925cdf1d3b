"""The billing page as a team would first write it: Strawberry as it comes, the ORM, a session a field.

`python -m bench.page_naive PORT`, with `DATABASE_URL` and `PLAN` in the environment. Ids are plain, but for the argument.
"""

import hashlib
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import strawberry
import uvicorn
from sqlalchemy import func, make_url, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from strawberry.asgi import GraphQL

from app.db.tables.ledger import LedgerBalanceRow, LedgerGrantRow, LedgerTransactionRow
from app.db.tables.payments import BillingAccountRow, CardRow, InvoiceRow
from app.db.tables.people import SessionRow, UserRow
from app.db.tables.purchases import UNFINISHED, CreditPurchaseRow
from app.db.tables.subscriptions import SubscriptionRow, UpcomingInvoiceRow
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.ids import parse_global_id
from bench.page_naive_usage import Period, Usage, usage_of, use


class _Parts:
    """What the fields work with."""

    sessions: async_sessionmaker[AsyncSession]
    plan: dict[str, Any]
    seat_minor: int
    limit: int | None


@strawberry.type
class Money:
    amount: Decimal
    currency: str


def _money(minor: int) -> Money:
    return Money(amount=Decimal(minor).scaleb(-2), currency="EUR")


@strawberry.type
class Plan:
    code: str
    name: str


@strawberry.type
class Seats:
    total: int
    used: int
    available: int


@strawberry.type
class PendingChange:
    kind: str


@strawberry.type
class Subscription:
    row: strawberry.Private[SubscriptionRow]
    status: str
    interval: str
    renews_at: datetime | None
    cancel_at_period_end: bool
    current_period: Period
    recurring_price: Money
    plan: Plan
    version: str
    pending_change: PendingChange | None = None

    @strawberry.field
    async def seats(self) -> Seats:
        async with _Parts.sessions() as session:
            members = select(func.count()).where(MembershipRow.workspace_id == self.row.workspace_id)
            used = (await session.execute(members)).scalar_one()
        total = self.row.seats or 0
        return Seats(total=total, used=min(used, total), available=max(0, total - used))

    @strawberry.field
    async def recurring_total(self) -> Money | None:
        async with _Parts.sessions() as session:
            told = await session.get(UpcomingInvoiceRow, self.row.workspace_id)
        is_known = told is not None and told.version == self.row.version
        return _money(told.recurring_total_minor or 0) if told is not None and is_known else None


@strawberry.type
class Spend:
    period: Period
    spent: Money
    limit: Money | None


@strawberry.type
class Grant:
    id: strawberry.ID
    source: str
    amount: Decimal
    remaining: Decimal
    granted_at: datetime
    expires_at: datetime | None


@strawberry.type
class Transaction:
    id: strawberry.ID
    sequence: str
    kind: str
    amount: Decimal
    balance_after: Decimal
    description: str
    at: datetime


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Transactions:
    nodes: list[Transaction]
    page_info: PageInfo


@strawberry.type
class Balance:
    workspace_id: strawberry.Private[UUID]
    id: strawberry.ID
    available: Decimal
    held: Decimal
    version: str
    updated_at: datetime

    @strawberry.field
    async def grants(self) -> list[Grant]:
        query = (
            select(LedgerGrantRow)
            .where(LedgerGrantRow.workspace_id == self.workspace_id, LedgerGrantRow.is_open)
            .order_by(LedgerGrantRow.expires_at, LedgerGrantRow.granted_at, LedgerGrantRow.id)
        )
        async with _Parts.sessions() as session:
            return [
                Grant(
                    id=strawberry.ID(str(row.id)),
                    source=row.source,
                    amount=Decimal(row.amount),
                    remaining=Decimal(row.remaining),
                    granted_at=row.granted_at,
                    expires_at=row.expires_at,
                )
                for row in await session.scalars(query)
            ]

    @strawberry.field
    async def transactions(self, first: int) -> Transactions:
        query = (
            select(LedgerTransactionRow)
            .where(LedgerTransactionRow.workspace_id == self.workspace_id)
            .order_by(LedgerTransactionRow.sequence.desc())
            .limit(first + 1)
        )
        async with _Parts.sessions() as session:
            rows = (await session.scalars(query)).all()
        nodes = [
            Transaction(
                id=strawberry.ID(str(row.sequence)),
                sequence=str(row.sequence),
                kind=row.kind,
                amount=Decimal(row.amount),
                balance_after=Decimal(row.balance_after),
                description=row.description,
                at=row.at,
            )
            for row in rows[:first]
        ]
        return Transactions(nodes=nodes, page_info=PageInfo(has_next_page=len(rows) > first, end_cursor=nodes[-1].id))


@strawberry.type
class Card:
    id: strawberry.ID
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


@strawberry.type
class Line:
    description: str
    quantity: int | None
    amount: Money


def _line(line: dict[str, Any]) -> Line:
    return Line(description=line["description"], quantity=line["quantity"], amount=_money(line["amount_minor"]))


@strawberry.type
class Invoice:
    id: strawberry.ID
    number: str | None
    status: str
    issued_at: datetime | None
    total: Money
    amount_due: Money
    hosted_url: str | None
    pdf_url: str | None
    lines: list[Line]


@strawberry.type
class Invoices:
    nodes: list[Invoice]
    page_info: PageInfo


@strawberry.type
class Workspace:
    workspace_id: strawberry.Private[UUID]
    row: strawberry.Private[WorkspaceRow]
    id: strawberry.ID
    name: str
    handle: str

    @strawberry.field
    async def usage(self) -> Usage | None:
        return await usage_of(self.row)

    @strawberry.field
    def plan(self) -> Plan:
        return Plan(**_Parts.plan)

    @strawberry.field
    async def subscription(self) -> Subscription | None:
        async with _Parts.sessions() as session:
            row = await session.get(SubscriptionRow, self.workspace_id)
            workspace = await session.get(WorkspaceRow, self.workspace_id)
        if row is None or workspace is None or row.period_start is None or row.period_end is None:
            return None
        return Subscription(
            row=row,
            plan=Plan(**_Parts.plan),
            status=row.status,
            interval=(row.interval or "").upper(),
            renews_at=row.period_end if row.ends_at is None else None,
            cancel_at_period_end=row.ends_at is not None,
            current_period=Period(start=row.period_start, end=row.period_end),
            recurring_price=_money(_Parts.seat_minor * (row.seats or 0)),
            version=str(row.version + workspace.version),
        )

    @strawberry.field
    async def spend(self) -> Spend:
        start = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = (start + timedelta(days=32)).replace(day=1)
        charged = (CreditPurchaseRow.charged_at >= start) & (CreditPurchaseRow.charged_at < end)
        under_way = CreditPurchaseRow.status.in_(UNFINISHED) & CreditPurchaseRow.pay_sent_at.is_not(None)
        amount = func.coalesce(CreditPurchaseRow.total_minor, CreditPurchaseRow.price_minor)
        query = select(func.coalesce(func.sum(amount), 0)).where(
            CreditPurchaseRow.workspace_id == self.workspace_id, or_(charged, under_way)
        )
        async with _Parts.sessions() as session:
            account = await session.get(BillingAccountRow, self.workspace_id)
            spent = int((await session.execute(query)).scalar_one())
        limit = account.monthly_spend_limit_minor if account is not None else None
        limit = limit if limit is not None else _Parts.limit
        return Spend(
            period=Period(start=start, end=end),
            spent=_money(spent),
            limit=_money(limit) if limit is not None else None,
        )

    @strawberry.field
    async def credit_balance(self) -> Balance | None:
        async with _Parts.sessions() as session:
            row = await session.get(LedgerBalanceRow, self.workspace_id)
        if row is None:
            return None
        return Balance(
            workspace_id=self.workspace_id,
            id=self.id,
            available=Decimal(row.available),
            held=Decimal(row.held),
            version=str(row.version),
            updated_at=row.updated_at,
        )

    @strawberry.field
    async def payment_methods(self) -> list[Card]:
        query = (
            select(CardRow)
            .where(CardRow.workspace_id == self.workspace_id)
            .order_by(CardRow.is_default.desc(), CardRow.created_at, CardRow.id)
        )
        async with _Parts.sessions() as session:
            return [
                Card(
                    id=strawberry.ID(str(row.id)),
                    brand=row.brand,
                    last4=row.last4,
                    exp_month=row.exp_month,
                    exp_year=row.exp_year,
                    is_default=row.is_default,
                )
                for row in await session.scalars(query)
            ]

    @strawberry.field
    async def invoices(self, first: int) -> Invoices:
        query = (
            select(InvoiceRow)
            .where(InvoiceRow.workspace_id == self.workspace_id, InvoiceRow.issued_at.is_not(None))
            .order_by(InvoiceRow.issued_at.desc(), InvoiceRow.id.desc())
            .limit(first + 1)
        )
        async with _Parts.sessions() as session:
            rows = (await session.scalars(query)).all()
        nodes = [
            Invoice(
                id=strawberry.ID(str(row.id)),
                number=row.number,
                status=row.status,
                issued_at=row.issued_at,
                total=_money(row.total_minor),
                amount_due=_money(row.amount_due_minor),
                hosted_url=row.hosted_url,
                pdf_url=row.pdf_url,
                lines=[_line(line) for line in row.lines],
            )
            for row in rows[:first]
        ]
        return Invoices(nodes=nodes, page_info=PageInfo(has_next_page=len(rows) > first, end_cursor=nodes[-1].id))


@strawberry.type
class Query:
    @strawberry.field
    async def workspace(self, info: strawberry.Info, id: strawberry.ID) -> Workspace | None:  # noqa: A002
        token = info.context["request"].headers["authorization"].removeprefix("Bearer ")
        workspace_id = parse_global_id(id).id
        async with _Parts.sessions() as session:
            found = select(SessionRow).where(SessionRow.token_hash == hashlib.sha256(token.encode()).digest())
            signed_in = (await session.scalars(found)).one_or_none()
            user = await session.get(UserRow, signed_in.user_id) if signed_in is not None else None
        if user is None:
            return None
        async with _Parts.sessions() as session:
            membership = await session.get(MembershipRow, (workspace_id, user.id))
            row = await session.get(WorkspaceRow, workspace_id)
        if membership is None or row is None:
            return None
        return Workspace(workspace_id=row.id, row=row, id=id, name=row.name, handle=row.handle)


def naive(
    url: str, plan: dict[str, Any], seat_minor: int, limit_minor: int | None, resources: Sequence[Sequence[Any]]
) -> Starlette:
    """The application, with what the catalog says of the plan."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    _Parts.sessions = async_sessionmaker(engine, expire_on_commit=False)
    use(_Parts.sessions, resources)
    _Parts.plan, _Parts.seat_minor, _Parts.limit = plan, seat_minor, limit_minor

    @asynccontextmanager
    async def connected(_app: Starlette) -> AsyncGenerator[None]:
        yield
        await engine.dispose()

    app = Starlette(lifespan=connected)
    app.mount("/", GraphQL[Any, None](strawberry.Schema(query=Query)))
    return app


def main(port: int) -> None:
    """Serve until killed."""
    app = naive(os.environ["DATABASE_URL"], *orjson.loads(os.environ["PLAN"]))
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
