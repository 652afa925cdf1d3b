"""Invoices of a workspace."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry

from app.billing.payments import invoice_mirror
from app.billing.subscriptions import upcoming
from app.db.tables.payments import InvoiceRow
from app.ids import GlobalId
from app.payments.gateway_values import InvoiceStatus
from app.store.invoices import MirroredInvoice
from resolvers import catalog
from resolvers.context import Info
from resolvers.pagination import Page
from schema.catalog import AddOn, Plan
from schema.enums import described
from schema.money import Money, Period
from schema.node_interface import Node
from schema.pagination import PageInfo, page_info
from schema.scalars import BigInt

described(
    InvoiceStatus,
    "Where an invoice is in its life.",
    {
        InvoiceStatus.DRAFT: "Of a subscription's renewal: it is issued and charged about an hour after it was made.",
        InvoiceStatus.OPEN: "Issued and not paid.",
        InvoiceStatus.PAID: "Paid.",
        InvoiceStatus.VOID: "Called off: nothing is to be paid.",
        InvoiceStatus.UNCOLLECTIBLE: "Given up as not going to be paid.",
    },
)


@strawberry.type(description="A line of an invoice.")
class InvoiceLine:
    description: str = strawberry.field(description="What it is for, for people.")
    terms_id: strawberry.Private[str | None]
    add_on_code: strawberry.Private[str | None]
    quantity: int | None = strawberry.field(description="How many, where it counts something, such as seats.")
    unit_amount: Money | None = strawberry.field(
        description="What one costs, where that is a whole number of the smallest unit."
    )
    amount: Money = strawberry.field(
        description="What the line comes to, after discounts, and before tax where tax comes on top."
    )
    period: Period | None = strawberry.field(description="The time it is for; null for something bought once.")
    is_proration: bool = strawberry.field(
        description="Whether it settles a change within a period: the rest of it is charged, or credited with an amount below zero."
    )

    @strawberry.field(
        description="The plan that it bills, or whose add-on it bills, on the terms it was sold on; null for anything else."
    )
    async def plan(self, info: Info) -> Plan | None:
        terms = await catalog.plan_terms(info.context, self.terms_id) if self.terms_id is not None else None
        return Plan.of(terms, info.context.runtime.catalog) if terms is not None else None

    @strawberry.field(description="The add-on that it bills; null for anything else.")
    async def add_on(self, info: Info) -> AddOn | None:
        if self.terms_id is None or self.add_on_code is None:
            return None
        terms = await catalog.plan_terms(info.context, self.terms_id)
        add_on = terms.plan.add_on(self.add_on_code) if terms is not None else None
        return AddOn.of(add_on) if add_on is not None else None

    @classmethod
    def of(cls, line: dict[str, Any], currency: str) -> Self:
        """The API's view of a mirrored line."""
        start, end = line["period_start"], line["period_end"]
        unit = line["unit_amount_minor"]
        return cls(
            description=line["description"],
            terms_id=line.get("terms_id"),
            add_on_code=line.get("add_on"),
            quantity=line["quantity"],
            unit_amount=Money.minor(unit, currency) if unit is not None else None,
            amount=Money.minor(line["amount_minor"], currency),
            period=Period(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end))
            if start and end and start != end
            else None,
            is_proration=line["is_proration"],
        )


@strawberry.type(description="The tax at one rate on an invoice.")
class TaxLine:
    name: str = strawberry.field(description="The tax's name, e.g. VAT.")
    rate_percent: Decimal | None = strawberry.field(description="The rate in percent; null where it is not known.")
    amount: Money = strawberry.field(description="What it comes to.")

    @classmethod
    def of(cls, line: dict[str, Any], currency: str) -> Self:
        """The API's view of a mirrored tax line."""
        percent = line["percent"]
        return cls(
            name=line["name"],
            rate_percent=Decimal(percent) if percent is not None else None,
            amount=Money.minor(line["amount_minor"], currency),
        )


@strawberry.type(description="What Stripe billed.")
class Invoice(Node):
    row: strawberry.Private[MirroredInvoice | InvoiceRow]
    number: str | None = strawberry.field(description="Its number, given when it was issued.")
    status: InvoiceStatus = strawberry.field(description="Where it is in its life.")
    issued_at: datetime | None = strawberry.field(description="When it was issued; null for a draft.")
    due_at: datetime | None = strawberry.field(description="When it is to be paid, where there is such a day.")
    paid_at: datetime | None = strawberry.field(description="When it was paid.")
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change: keep the highest you have seen."
    )
    hosted_url: str | None = strawberry.field(description="Stripe's page of it, where an open one can be paid.")
    pdf_url: str | None = strawberry.field(description="Where its PDF can be downloaded.")

    @strawberry.field(description="The sum of its lines.")
    def subtotal(self) -> Money:
        return self._money(self.row.subtotal_minor)

    @strawberry.field(description="The tax on it, whether the prices include it or not.")
    def tax(self) -> Money:
        return self._money(self.row.tax_minor)

    @strawberry.field(description="What it comes to, tax included.")
    def total(self) -> Money:
        return self._money(self.row.total_minor)

    @strawberry.field(description="What is still to be paid: nothing of one that is void or uncollectible.")
    def amount_due(self) -> Money:
        return self._money(invoice_mirror.due_minor(self.row))

    @strawberry.field(description="What was paid.")
    def amount_paid(self) -> Money:
        return self._money(self.row.amount_paid_minor)

    @strawberry.field(description="What of it was given back.")
    def amount_refunded(self) -> Money:
        return self._money(self.row.amount_refunded_minor)

    @strawberry.field(description="What the customer's credit with the seller paid of it.")
    def credit_applied(self) -> Money:
        return self._money(invoice_mirror.credit_applied_minor(self.row))

    @strawberry.field(description="What was billed.")
    def lines(self) -> list[InvoiceLine]:
        return [InvoiceLine.of(line, self.row.currency) for line in self.row.lines]

    @strawberry.field(description="The tax by rate.")
    def tax_lines(self) -> list[TaxLine]:
        return [TaxLine.of(line, self.row.currency) for line in self.row.tax_lines]

    def _money(self, minor: int) -> Money:
        return Money.minor(minor, self.row.currency)

    @classmethod
    def of(cls, invoice: MirroredInvoice | InvoiceRow) -> Self:
        """The API's view of a mirrored invoice."""
        return cls(
            row=invoice,
            id=strawberry.ID(str(GlobalId("Invoice", invoice.id, invoice.workspace_id))),
            number=invoice.number,
            status=InvoiceStatus(invoice.status),
            issued_at=invoice.issued_at,
            due_at=invoice.due_at,
            paid_at=invoice.paid_at,
            version=BigInt(invoice.version),
            hosted_url=invoice.hosted_url,
            pdf_url=invoice.pdf_url,
        )


@strawberry.type(
    description="The next bill of a subscription as it stands, by Stripe's own preview: nothing of it is issued."
)
class UpcomingInvoice:
    bill: strawberry.Private[upcoming.UpcomingInvoice]
    at: datetime = strawberry.field(description="When it will be charged.")
    asked_at: datetime = strawberry.field(
        description="When Stripe was asked. While Stripe is away the last answer stands, also that from before a change."
    )

    @strawberry.field(
        description="What will be billed: the renewal, what waits since a change, and what a pending change makes of it."
    )
    def lines(self) -> list[InvoiceLine]:
        return [InvoiceLine.of(line, self.bill.currency) for line in self.bill.lines]

    @strawberry.field(description="The sum of its lines.")
    def subtotal(self) -> Money:
        return self._money(self.bill.subtotal_minor)

    @strawberry.field(description="The tax on it, whether the prices include it or not.")
    def tax(self) -> Money:
        return self._money(self.bill.tax_minor)

    @strawberry.field(description="What it comes to, tax included; below zero it becomes credit.")
    def total(self) -> Money:
        return self._money(self.bill.total_minor)

    @strawberry.field(description="What the customer's credit with the seller will pay of it.")
    def credit_applied(self) -> Money:
        return self._money(self.bill.credit_applied_minor)

    @strawberry.field(description="What will be charged.")
    def amount_due(self) -> Money:
        return self._money(self.bill.due_minor)

    def _money(self, minor: int) -> Money:
        return Money.minor(minor, self.bill.currency)

    @classmethod
    def of(cls, bill: upcoming.UpcomingInvoice) -> Self:
        """The API's view of the next bill."""
        return cls(bill=bill, at=bill.at, asked_at=bill.asked_at)


@strawberry.type(description="An invoice in a page of them.")
class InvoiceEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: Invoice = strawberry.field(description="The invoice.")


@strawberry.type(description="A page of invoices, newest first.")
class InvoiceConnection:
    page: strawberry.Private[Page[MirroredInvoice]]

    @strawberry.field(description="The invoices with their cursors.")
    def edges(self) -> list[InvoiceEdge]:
        rows = zip(self.page.cursors, self.page.rows, strict=True)
        return [InvoiceEdge(cursor=cursor, node=Invoice.of(row)) for cursor, row in rows]

    @strawberry.field(description="The invoices alone.")
    def nodes(self) -> list[Invoice]:
        return [Invoice.of(row) for row in self.page.rows]

    @strawberry.field(description="Where this page lies in the whole.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)

    @classmethod
    def of(cls, page: Page[MirroredInvoice]) -> Self:
        """The API's view of a page."""
        return cls(page=page)
