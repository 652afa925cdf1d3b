"""Credits: the balance, its grants, holds and history."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from app.catalog import Catalog
from app.errors import BadUserInput
from app.ids import GlobalId, made_at
from app.ledger import ledger_reads, movements
from app.ledger.chart_of_accounts import Kind, Source
from app.money import CreditUnit as Unit
from resolvers import credits, invoices, purchases
from resolvers.context import Info
from resolvers.pagination import USUAL_ROWS, Page
from resolvers.selection import arguments_of_selected
from schema.catalog import CreditUnit, UsageResource
from schema.enums import described
from schema.invoices import Invoice
from schema.node_interface import Node
from schema.pagination import AFTER, FIRST, PageInfo, page_info
from schema.purchases import CreditPurchase
from schema.scalars import BigInt

described(
    Source,
    "Where credits came from.",
    {
        Source.PURCHASE: "Bought by someone.",
        Source.AUTO_RECHARGE: "Reserved for credits that are bought without anyone asking; there are none yet.",
        Source.WELCOME_BONUS: "Reserved for a welcome bonus; there is none yet.",
        Source.PROMOTION: "Given by the seller as a promotion.",
        Source.ADJUSTMENT: "Given by the seller to put something right.",
    },
    name="CreditSource",
)
described(
    Kind,
    "What a transaction did.",
    {
        Kind.PURCHASE: "Credits were bought.",
        Kind.AUTO_RECHARGE: "Reserved for credits that are bought without anyone asking; there are none yet.",
        Kind.BONUS: "Credits were given as a promotion.",
        Kind.ADJUSTMENT: "The seller put something right.",
        Kind.USAGE: "Credits were spent.",
        Kind.HOLD: "Credits were set aside.",
        Kind.RELEASE: "Credits that were set aside came back.",
        Kind.CAPTURE: "Credits that were set aside were spent; the rest of them came back.",
        Kind.EXPIRY: "Credits expired.",
        Kind.CLAWBACK: "A refund or a dispute took credits back.",
        Kind.REINSTATEMENT: "A dispute that was won gave credits back.",
    },
    name="CreditTransactionKind",
)


@strawberry.type(description="Credits that came in together and expire together.")
class CreditGrant(Node):
    source: Source = strawberry.field(description="Where they came from.")
    amount: Decimal = strawberry.field(
        description="How many came in. A debt is paid out of them first, so fewer may have been left to spend from the start."
    )
    remaining: Decimal = strawberry.field(description="How many are left to spend; those on hold are not counted.")
    granted_at: datetime = strawberry.field(description="When they came in.")
    expires_at: datetime | None = strawberry.field(description="When what is left of them goes; null means never.")

    @classmethod
    def of(cls, grant: ledger_reads.GrantState, workspace_id: UUID, unit: Unit) -> Self:
        """The API's view of a grant."""
        return cls(
            id=strawberry.ID(str(GlobalId("CreditGrant", grant.id, workspace_id))),
            source=grant.source,
            amount=unit.from_steps(grant.amount),
            remaining=unit.from_steps(grant.remaining),
            granted_at=grant.granted_at,
            expires_at=grant.expires_at,
        )


@strawberry.type(description="What expires next.")
class CreditExpiry:
    amount: Decimal = strawberry.field(description="How many credits go.")
    at: datetime = strawberry.field(description="When.")


@strawberry.type(description="Credits set aside for something that is under way. One capture closes a hold.")
class CreditHold(Node):
    amount: Decimal = strawberry.field(description="How many were set aside.")
    captured: Decimal = strawberry.field(description="How many of them were spent in the end.")
    is_open: bool = strawberry.field(description="Whether they are still set aside.")
    expires_at: datetime = strawberry.field(description="When an open hold lapses by itself.")

    @classmethod
    def of(cls, hold: movements.HoldState, unit: Unit) -> Self:
        """The API's view of a hold."""
        return cls(
            id=strawberry.ID(str(GlobalId("CreditHold", hold.id, hold.workspace_id))),
            amount=unit.from_steps(hold.amount),
            captured=unit.from_steps(hold.captured),
            is_open=hold.is_open,
            expires_at=hold.expires_at,
        )


@strawberry.type(
    description="One movement of credits. Signed amounts say what it did to available and to held credits.",
)
class CreditTransaction(Node):
    transaction: strawberry.Private[movements.Transaction]
    counted_in: strawberry.Private[Unit]
    sequence: BigInt = strawberry.field(description="1, 2, 3, … within the workspace, without gaps.")
    kind: Kind = strawberry.field(description="What it did.")
    description: str = strawberry.field(description="What it was for, for people.")
    at: datetime = strawberry.field(description="When it happened.")

    @strawberry.field(description="What it did to the available credits, signed.")
    def amount(self) -> Decimal:
        return self.counted_in.from_steps(self.transaction.amount)

    @strawberry.field(description="The credits available after it.")
    def balance_after(self) -> Decimal:
        return self.counted_in.from_steps(self.transaction.balance_after)

    @strawberry.field(description="What it did to the credits on hold, signed.")
    def held_delta(self) -> Decimal:
        return self.counted_in.from_steps(self.transaction.held_delta)

    @strawberry.field(description="The credits on hold after it.")
    def held_after(self) -> Decimal:
        return self.counted_in.from_steps(self.transaction.held_after)

    @strawberry.field(description="The resource whose use it paid for, if it names one.")
    def resource(self, info: Info) -> UsageResource | None:
        code = self.transaction.resource
        resource = info.context.runtime.catalog.resource(code) if code is not None else None
        return UsageResource.of(resource) if resource is not None else None

    @strawberry.field(
        description="Who or what used the credits, by the host product's own id; null if it names nobody or they were erased."
    )
    async def subject(self, info: Info) -> str | None:
        return await credits.subject_of(info.context, self.transaction)

    @strawberry.field(description="The purchase behind it.")
    async def purchase(self, info: Info) -> CreditPurchase | None:
        moved = self.transaction
        if moved.purchase_id is None:
            return None
        found = await purchases.purchase_behind(info.context, moved.workspace_id, moved.purchase_id)
        return CreditPurchase.of(found, info.context.runtime.catalog.credit_unit) if found is not None else None

    @strawberry.field(description="The hold it made or ended.")
    async def hold(self, info: Info) -> CreditHold | None:
        moved = self.transaction
        if moved.hold_id is None:
            return None
        hold = await credits.hold_behind(info.context, moved.workspace_id, moved.hold_id)
        return CreditHold.of(hold, info.context.runtime.catalog.credit_unit) if hold is not None else None

    @strawberry.field(description="The invoice behind its purchase.")
    async def invoice(self, info: Info) -> Invoice | None:
        moved = self.transaction
        if moved.purchase_id is None:
            return None
        found = await invoices.invoice_of_purchase(info.context, moved.workspace_id, moved.purchase_id)
        return Invoice.of(found) if found is not None else None

    @classmethod
    def of(cls, transaction: movements.Transaction, unit: Unit) -> Self:
        """The API's view of a transaction."""
        return cls(
            transaction=transaction,
            counted_in=unit,
            id=strawberry.ID(str(GlobalId("CreditTransaction", transaction.id, transaction.workspace_id))),
            sequence=BigInt(transaction.sequence),
            kind=transaction.kind,
            description=transaction.description,
            at=transaction.at,
        )


@strawberry.type(description="A transaction in a page of them.")
class CreditTransactionEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: CreditTransaction = strawberry.field(description="The transaction.")


@strawberry.type(description="A page of transactions, newest first.")
class CreditTransactionConnection:
    page: strawberry.Private[Page[movements.Transaction]]
    counted_in: strawberry.Private[Unit]

    @strawberry.field(description="The transactions with their cursors.")
    def edges(self) -> list[CreditTransactionEdge]:
        rows = zip(self.page.cursors, self.page.rows, strict=True)
        return [
            CreditTransactionEdge(cursor=cursor, node=CreditTransaction.of(row, self.counted_in))
            for cursor, row in rows
        ]

    @strawberry.field(description="The transactions alone.")
    def nodes(self) -> list[CreditTransaction]:
        return [CreditTransaction.of(row, self.counted_in) for row in self.page.rows]

    @strawberry.field(description="Where this page lies in the whole.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)

    @classmethod
    def of(cls, page: Page[movements.Transaction], unit: Unit) -> Self:
        """The API's view of a page."""
        return cls(page=page, counted_in=unit)


@strawberry.type(description="The prepaid credits of a workspace.")
class CreditBalance(Node):
    balance: strawberry.Private[ledger_reads.Balance]
    histories: strawberry.Private[Mapping[str, Page[movements.Transaction]]]
    unit: CreditUnit = strawberry.field(description="What they are counted in.")
    available: Decimal = strawberry.field(
        description="Free to spend now: granted, not spent, not expired, not held. Below zero only after a refund or a dispute."
    )
    held: Decimal = strawberry.field(description="Set aside by open holds.")
    grants: list[CreditGrant] = strawberry.field(
        description="Grants that still hold credits, in the order they will be spent."
    )
    next_expiry: CreditExpiry | None = strawberry.field(description="What expires next; null when nothing does.")
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change: a client keeps the highest it has seen."
    )
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @strawberry.field(description="Every movement, newest first.")
    async def transactions(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = USUAL_ROWS,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
        kind: Annotated[Kind | None, strawberry.argument(description="Only of this kind.")] = None,
        from_: Annotated[
            datetime | None, strawberry.argument(name="from", description="Only those at or after this time.")
        ] = None,
        to: Annotated[datetime | None, strawberry.argument(description="Only those before this time.")] = None,
    ) -> CreditTransactionConnection:
        page = self.histories.get(str(info.path.key))
        if page is None:
            request = credits.HistoryRequest.of(first, after, credits.HistoryFilter(kind, from_, to))
            page = await credits.history(info.context, self.balance, request)
        return CreditTransactionConnection.of(page, info.context.runtime.catalog.credit_unit)

    @classmethod
    def of(
        cls,
        balance: ledger_reads.Balance,
        catalog: Catalog,
        histories: Mapping[str, Page[movements.Transaction]] | None = None,
    ) -> Self:
        """The API's view of a balance; `histories`: pages of its history that were read with it, by their names in the answer."""
        unit = catalog.credit_unit
        expiry = balance.next_expiry
        return cls(
            balance=balance,
            histories=histories or {},
            id=strawberry.ID(str(GlobalId("CreditBalance", balance.workspace_id))),
            unit=CreditUnit.of(unit),
            available=unit.from_steps(balance.available),
            held=unit.from_steps(balance.held),
            grants=[CreditGrant.of(grant, balance.workspace_id, unit) for grant in balance.grants],
            next_expiry=CreditExpiry(amount=unit.from_steps(expiry.amount), at=expiry.at) if expiry else None,
            version=BigInt(balance.version),
            updated_at=balance.updated_at or made_at(balance.workspace_id),
        )


async def read_balance(info: Info, workspace_id: UUID) -> CreditBalance:
    """A workspace's balance with what of its history is selected, all of one moment, for callers whose rights were checked."""
    asked: dict[str, credits.HistoryRequest] = {}
    for name, given in arguments_of_selected(info, "CreditBalance", "transactions").items():
        wanted = credits.HistoryFilter(given.get("kind"), given.get("from"), given.get("to"))
        # what is asked for wrongly is refused where it stands
        with suppress(BadUserInput):
            asked[name] = credits.HistoryRequest.of(given.get("first"), given.get("after"), wanted)
    balance, histories = await credits.balance_with_histories(info.context, workspace_id, asked)
    return CreditBalance.of(balance, info.context.runtime.catalog, histories)
