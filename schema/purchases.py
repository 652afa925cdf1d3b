"""Purchases of credits, and what they cost this month."""

from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus
from app.ids import GlobalId
from app.money import CreditUnit as Unit
from app.store.purchases import SeenPurchase
from resolvers import invoices
from resolvers.context import Info
from resolvers.pagination import Page
from schema.enums import described
from schema.invoices import Invoice
from schema.money import Money, Period
from schema.node_interface import Node
from schema.pagination import PageInfo, page_info
from schema.scalars import BigInt

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


@strawberry.type(
    description="One attempt to buy credits, from the click to the end: watch it with creditPurchaseChanged.",
)
class CreditPurchase(Node):
    row: strawberry.Private[SeenPurchase | CreditPurchaseRow]
    status: PurchaseStatus = strawberry.field(description="Where it is.")
    credits: Decimal = strawberry.field(description="How many credits it buys.")
    price: Money = strawberry.field(
        description="The total charged, tax included; before the invoice exists, the price."
    )
    is_auto_recharge: bool = strawberry.field(
        description="Reserved for purchases that nobody asked for; always false as yet."
    )
    checkout_url: str | None = strawberry.field(description="Where to pay it, while it waits for a Checkout.")
    failure: str | None = strawberry.field(description="Why it failed, for people.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change: keep the highest you have seen."
    )

    @strawberry.field(description="The invoice behind it, once there is one.")
    async def invoice(self, info: Info) -> Invoice | None:
        found = await invoices.invoice_of_purchase(info.context, self.row.workspace_id, self.row.id)
        return Invoice.of(found) if found is not None else None

    @classmethod
    def of(cls, row: SeenPurchase | CreditPurchaseRow, unit: Unit) -> Self:
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
    def of(cls, page: Page[SeenPurchase], unit: Unit) -> Self:
        """The API's view of a page."""
        nodes = [CreditPurchase.of(row, unit) for row in page.rows]
        return cls(
            edges=[
                CreditPurchaseEdge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)
            ],
            nodes=nodes,
            page_info=page_info(page),
        )


@strawberry.type(description="What credits cost this month, against the limit.")
class Spend:
    period: Period = strawberry.field(description="The calendar month, in UTC.")
    spent: Money = strawberry.field(
        description="What was charged in it so far, tax included, payments under way counted."
    )
    limit: Money | None = strawberry.field(
        description="The most that may be charged in it; null means no limit. Refunds do not free it."
    )
