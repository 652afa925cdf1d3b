"""Credits: the balance, its grants and history, purchases, and the mutations that move them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

import strawberry

from app.catalog import Catalog
from app.db.tables.payments import CreditPurchaseRow, PurchaseStatus
from app.ids import GlobalId, made_at
from app.ledger import balances, movements
from app.ledger.chart import Kind, Source
from app.money import CreditUnit as Unit
from resolvers import credits
from resolvers.context import Info
from resolvers.live import State
from resolvers.pages import Page
from schema.catalog import CreditUnit, UsageResource
from schema.enums import described
from schema.errors import USER_ERRORS, UserError, no_errors, user_error
from schema.money import Money, Period
from schema.node import Node
from schema.pagination import AFTER, FIRST, PAGE, PageInfo, page_info
from schema.payments import Invoice
from schema.scalars import BigInt

described(
    Source,
    "Where credits came from.",
    {
        Source.PURCHASE: "Bought by someone.",
        Source.AUTO_RECHARGE: "Bought by auto-recharge.",
        Source.WELCOME_BONUS: "The one-time welcome bonus.",
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
        Kind.AUTO_RECHARGE: "Auto-recharge bought credits.",
        Kind.BONUS: "Credits were given: a bonus or a promotion.",
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
described(
    PurchaseStatus,
    "Where a purchase is between the click and the end.",
    {
        PurchaseStatus.PENDING: "Under way: nothing is known yet.",
        PurchaseStatus.ACTION_REQUIRED: "Waiting for the cardholder to confirm with the bank.",
        PurchaseStatus.SUCCEEDED: "Paid, and the credits granted.",
        PurchaseStatus.FAILED: "Not paid; nothing was charged.",
        PurchaseStatus.EXPIRED: "Not confirmed in time; nothing was charged.",
        PurchaseStatus.REFUNDED: "Paid, and the payment given back.",
        PurchaseStatus.DISPUTED: "Paid, and the payment disputed by the cardholder.",
    },
    name="CreditPurchaseStatus",
)


@strawberry.type(description="Credits that came in together and expire together.")
class CreditGrant(Node):
    source: Source = strawberry.field(description="Where they came from.")
    amount: Decimal = strawberry.field(
        description="How many came in; less than was bought where a debt was paid first."
    )
    remaining: Decimal = strawberry.field(description="How many are left to spend; those on hold are not counted.")
    granted_at: datetime = strawberry.field(description="When they came in.")
    expires_at: datetime | None = strawberry.field(description="When what is left of them goes; null means never.")

    @classmethod
    def of(cls, grant: balances.GrantState, balance: balances.Balance, unit: Unit) -> Self:
        """The API's view of a grant."""
        return cls(
            id=strawberry.ID(str(GlobalId("CreditGrant", grant.id, balance.workspace_id))),
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
    description="One attempt to buy credits, from the click to the end: watch it with creditPurchaseChanged.",
)
class CreditPurchase(Node):
    row: strawberry.Private[CreditPurchaseRow]
    status: PurchaseStatus = strawberry.field(description="Where it is.")
    credits: Decimal = strawberry.field(description="How many credits it buys.")
    price: Money = strawberry.field(
        description="The total charged, tax included; before the invoice exists, the price."
    )
    is_auto_recharge: bool = strawberry.field(description="Whether auto-recharge made it.")
    checkout_url: str | None = strawberry.field(description="Where to pay it, while it waits for a Checkout.")
    failure: str | None = strawberry.field(description="Why it failed, for people.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change: keep the highest you have seen."
    )

    @strawberry.field(description="The invoice behind it, once there is one.")
    async def invoice(self, info: Info) -> Invoice | None:
        found = await info.context.loaders.invoices_of_purchases.load((self.row.workspace_id, self.row.id))
        return Invoice.of(found) if found is not None and found.issued_at is not None else None

    @classmethod
    def of(cls, row: CreditPurchaseRow, unit: Unit) -> Self:
        """The API's view of a purchase."""
        return cls(
            row=row,
            id=strawberry.ID(str(GlobalId("CreditPurchase", row.id, row.workspace_id))),
            status=PurchaseStatus(row.status),
            credits=unit.from_steps(row.credits),
            price=Money.minor(row.total_minor if row.total_minor is not None else row.price_minor, row.currency),
            is_auto_recharge=row.is_auto_recharge,
            checkout_url=row.checkout_url,
            failure=row.failure,
            created_at=row.created_at,
            version=BigInt(row.version),
        )


@strawberry.type(description="A purchase in a page of them.")
class CreditPurchaseEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: CreditPurchase = strawberry.field(description="The purchase.")


@strawberry.type(description="A page of purchases, newest first.")
class CreditPurchaseConnection:
    edges: list[CreditPurchaseEdge] = strawberry.field(description="The purchases with their cursors.")
    nodes: list[CreditPurchase] = strawberry.field(description="The purchases alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the whole.")

    @classmethod
    def of(cls, page: Page[CreditPurchaseRow], unit: Unit) -> Self:
        """The API's view of a page."""
        nodes = [CreditPurchase.of(row, unit) for row in page.rows]
        return cls(
            edges=[
                CreditPurchaseEdge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)
            ],
            nodes=nodes,
            page_info=page_info(page.cursors, has_next=page.has_next, has_previous=page.has_previous),
        )


@strawberry.type(
    description="One movement of credits. Signed amounts say what it did to available and to held credits.",
)
class CreditTransaction(Node):
    transaction: strawberry.Private[movements.Transaction]
    sequence: BigInt = strawberry.field(description="1, 2, 3, … within the workspace, without gaps.")
    kind: Kind = strawberry.field(description="What it did.")
    amount: Decimal = strawberry.field(description="What it did to the available credits, signed.")
    balance_after: Decimal = strawberry.field(description="The credits available after it.")
    held_delta: Decimal = strawberry.field(description="What it did to the credits on hold, signed.")
    held_after: Decimal = strawberry.field(description="The credits on hold after it.")
    description: str = strawberry.field(description="What it was for, for people.")
    at: datetime = strawberry.field(description="When it happened.")

    @strawberry.field(description="The resource whose use it paid for, if it names one.")
    def resource(self, info: Info) -> UsageResource | None:
        code = self.transaction.resource
        resource = info.context.runtime.catalog.resource(code) if code is not None else None
        return UsageResource.of(resource) if resource is not None else None

    @strawberry.field(description="The purchase behind it.")
    async def purchase(self, info: Info) -> CreditPurchase | None:
        row = await self._purchase(info)
        return CreditPurchase.of(row, info.context.runtime.catalog.credit_unit) if row is not None else None

    @strawberry.field(description="The hold it made or ended.")
    async def hold(self, info: Info) -> CreditHold | None:
        if self.transaction.hold_id is None:
            return None
        hold = await info.context.loaders.holds.load((self.transaction.workspace_id, self.transaction.hold_id))
        return CreditHold.of(hold, info.context.runtime.catalog.credit_unit) if hold is not None else None

    @strawberry.field(description="The invoice behind its purchase.")
    async def invoice(self, info: Info) -> Invoice | None:
        if self.transaction.purchase_id is None:
            return None
        key = (self.transaction.workspace_id, self.transaction.purchase_id)
        found = await info.context.loaders.invoices_of_purchases.load(key)
        return Invoice.of(found) if found is not None and found.issued_at is not None else None

    async def _purchase(self, info: Info) -> CreditPurchaseRow | None:
        if self.transaction.purchase_id is None:
            return None
        return await info.context.loaders.purchases.load((self.transaction.workspace_id, self.transaction.purchase_id))

    @classmethod
    def of(cls, transaction: movements.Transaction, unit: Unit) -> Self:
        """The API's view of a transaction."""
        return cls(
            transaction=transaction,
            id=strawberry.ID(str(GlobalId("CreditTransaction", transaction.id, transaction.workspace_id))),
            sequence=BigInt(transaction.sequence),
            kind=transaction.kind,
            amount=unit.from_steps(transaction.amount),
            balance_after=unit.from_steps(transaction.balance_after),
            held_delta=unit.from_steps(transaction.held_delta),
            held_after=unit.from_steps(transaction.held_after),
            description=transaction.description,
            at=transaction.at,
        )


@strawberry.type(description="A transaction in a page of them.")
class CreditTransactionEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: CreditTransaction = strawberry.field(description="The transaction.")


@strawberry.type(description="A page of transactions, newest first.")
class CreditTransactionConnection:
    edges: list[CreditTransactionEdge] = strawberry.field(description="The transactions with their cursors.")
    nodes: list[CreditTransaction] = strawberry.field(description="The transactions alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the whole.")

    @classmethod
    def of(cls, page: Page[movements.Transaction], unit: Unit) -> Self:
        """The API's view of a page."""
        nodes = [CreditTransaction.of(each, unit) for each in page.rows]
        return cls(
            edges=[
                CreditTransactionEdge(cursor=cursor, node=node)
                for cursor, node in zip(page.cursors, nodes, strict=True)
            ],
            nodes=nodes,
            page_info=page_info(page.cursors, has_next=page.has_next, has_previous=page.has_previous),
        )


@strawberry.type(description="The prepaid credits of a workspace.")
class CreditBalance(Node):
    balance: strawberry.Private[balances.Balance]
    shared_state: strawberry.Private[object]
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
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = PAGE,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
        kind: Annotated[Kind | None, strawberry.argument(description="Only of this kind.")] = None,
        from_: Annotated[
            datetime | None, strawberry.argument(name="from", description="Only those at or after this time.")
        ] = None,
        to: Annotated[datetime | None, strawberry.argument(description="Only those before this time.")] = None,
    ) -> CreditTransactionConnection:
        wanted = credits.HistoryFilter(kind, from_, to)
        page = await credits.history(info.context, self.balance.workspace_id, first, after, wanted)
        return CreditTransactionConnection.of(page, info.context.runtime.catalog.credit_unit)

    @classmethod
    def of(cls, balance: balances.Balance, catalog: Catalog, state: State[balances.Balance] | None = None) -> Self:
        """The API's view of a balance; `state` is what it was watched as."""
        unit = catalog.credit_unit
        expiry = balance.next_expiry
        return cls(
            balance=balance,
            shared_state=state or balance,
            id=strawberry.ID(str(GlobalId("CreditBalance", balance.workspace_id))),
            unit=CreditUnit.of(unit),
            available=unit.from_steps(balance.available),
            held=unit.from_steps(balance.held),
            grants=[CreditGrant.of(grant, balance, unit) for grant in balance.grants],
            next_expiry=CreditExpiry(amount=unit.from_steps(expiry.amount), at=expiry.at) if expiry else None,
            version=BigInt(balance.version),
            updated_at=balance.updated_at or made_at(balance.workspace_id),
        )


@strawberry.type(description="What credits cost this month against the plan's ceiling.")
class Spend:
    period: Period = strawberry.field(description="The calendar month, in UTC.")
    spent: Money = strawberry.field(
        description="What was charged in it so far, tax included, payments under way counted."
    )
    limit: Money | None = strawberry.field(description="The most that may be charged in it; null means no limit.")


@strawberry.input(description="What to buy: exactly one of packCode and amount.")
class RechargeCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Who gets the credits and pays for them.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again buys nothing twice."
    )
    pack_code: str | None = strawberry.field(default=None, description="The pack to buy.")
    amount: Decimal | None = strawberry.field(
        default=None,
        description="How much money to spend, in the catalog's currency, before tax where tax comes on top.",
    )
    payment_method_id: strawberry.ID | None = strawberry.field(
        default=None, description="The card to charge; the default one if absent."
    )
    success_url: str | None = strawberry.field(default=None, description="Where a Checkout leads to when it is paid.")
    cancel_url: str | None = strawberry.field(default=None, description="Where a Checkout leads to when it is left.")


@strawberry.type(description="The purchase as it stands, and what it led to.")
class RechargePayload:
    purchase: CreditPurchase | None = strawberry.field(default=None, description="The purchase, whatever became of it.")
    credit_balance: CreditBalance | None = strawberry.field(default=None, description="The balance now.")
    transaction: CreditTransaction | None = strawberry.field(
        default=None, description="The movement that credited it; null until it is paid."
    )
    invoice: Invoice | None = strawberry.field(default=None, description="The invoice behind it.")
    checkout_url: str | None = strawberry.field(default=None, description="Where to pay, without a card on file.")
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, answer: credits.RechargeAnswer, catalog: Catalog) -> Self:
        """The payload of a purchase."""
        return cls(
            purchase=CreditPurchase.of(answer.purchase, catalog.credit_unit),
            credit_balance=CreditBalance.of(answer.balance, catalog),
            transaction=CreditTransaction.of(answer.transaction, catalog.credit_unit) if answer.transaction else None,
            invoice=Invoice.of(answer.invoice) if answer.invoice and answer.invoice.issued_at else None,
            checkout_url=answer.purchase.checkout_url,
            user_errors=[user_error(answer.error)] if answer.error else [],
        )


@strawberry.type(description="A movement of credits, and the balance now.")
class CreditTransactionPayload:
    transaction: CreditTransaction | None = strawberry.field(default=None, description="The movement.")
    credit_balance: CreditBalance | None = strawberry.field(default=None, description="The balance now.")
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, moved: credits.Movement, catalog: Catalog) -> Self:
        """The payload of a movement."""
        return cls(
            transaction=CreditTransaction.of(moved.transaction, catalog.credit_unit),
            credit_balance=CreditBalance.of(moved.balance, catalog),
        )


@strawberry.input(description="What to spend, and what for.")
class DeductCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose credits.")
    amount: Decimal = strawberry.field(description="How many credits, above zero.")
    description: str = strawberry.field(description="What for; shown in the history. 1 to 500 characters.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again spends nothing twice."
    )
    resource: str | None = strawberry.field(default=None, description="The code of the resource that was used.")


@strawberry.input(description="What to give, and why.")
class GrantCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Who gets the credits.")
    amount: Decimal = strawberry.field(description="How many credits, above zero.")
    source: Source = strawberry.field(description="PROMOTION or ADJUSTMENT.")
    description: str = strawberry.field(description="Why; shown in the history. 1 to 500 characters.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again gives nothing twice."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When what is left of them goes; never if absent."
    )


@strawberry.type(description="The hold as it is now, the movement, and the balance now.")
class CreditHoldPayload:
    hold: CreditHold | None = strawberry.field(default=None, description="The hold.")
    transaction: CreditTransaction | None = strawberry.field(default=None, description="The movement.")
    credit_balance: CreditBalance | None = strawberry.field(default=None, description="The balance now.")
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, held: credits.HoldMovement, catalog: Catalog) -> Self:
        """The payload of a movement of a hold."""
        return cls(
            hold=CreditHold.of(held.hold, catalog.credit_unit),
            transaction=CreditTransaction.of(held.transaction, catalog.credit_unit),
            credit_balance=CreditBalance.of(held.balance, catalog),
        )


@strawberry.input(description="What to set aside, and what for.")
class HoldCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose credits.")
    amount: Decimal = strawberry.field(description="How many credits, above zero.")
    description: str = strawberry.field(description="What for; shown in the history. 1 to 500 characters.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again holds nothing twice."
    )
    expires_in_seconds: int | None = strawberry.field(
        default=600, description="After how long an open hold lapses by itself; at most a week."
    )


@strawberry.input(description="How much of a hold to spend.")
class CaptureHoldInput:
    hold_id: strawberry.ID = strawberry.field(description="An open hold.")
    amount: Decimal = strawberry.field(
        description="How many credits, from zero to the hold's amount; the rest returns."
    )
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again spends nothing twice."
    )


@strawberry.input(description="Which hold to end unused.")
class ReleaseHoldInput:
    hold_id: strawberry.ID = strawberry.field(description="An open hold.")
