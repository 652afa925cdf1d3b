"""Invoices of a workspace."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry

from app.db.tables.payments import InvoiceRow
from app.ids import GlobalId
from app.payments.gateway_values import InvoiceStatus
from app.store.invoices import MirroredInvoice
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
        InvoiceStatus.DRAFT: "Still being put together.",
        InvoiceStatus.OPEN: "Issued and not paid.",
        InvoiceStatus.PAID: "Paid.",
        InvoiceStatus.VOID: "Called off: nothing is to be paid.",
        InvoiceStatus.UNCOLLECTIBLE: "Given up as not going to be paid.",
    },
)


@strawberry.type(description="A line of an invoice.")
class InvoiceLine:
    description: str = strawberry.field(description="What it is for, for people.")
    plan: Plan | None = strawberry.field(description="Reserved for lines that bill a plan; always null as yet.")
    add_on: AddOn | None = strawberry.field(description="Reserved for lines that bill an add-on; always null as yet.")
    quantity: int | None = strawberry.field(description="How many, where it counts something.")
    unit_amount: Money | None = strawberry.field(
        description="What one costs, where that is a whole number of the smallest unit."
    )
    amount: Money = strawberry.field(description="What the line comes to, before tax where tax comes on top.")
    period: Period | None = strawberry.field(description="The time it is for; null for something bought once.")
    is_proration: bool = strawberry.field(description="Whether it settles a change within a period.")

    @classmethod
    def of(cls, line: dict[str, Any], currency: str) -> Self:
        """The API's view of a mirrored line."""
        start, end = line["period_start"], line["period_end"]
        unit = line["unit_amount_minor"]
        return cls(
            description=line["description"],
            plan=None,
            add_on=None,
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
    number: str | None = strawberry.field(description="Its number, given when it was issued.")
    status: InvoiceStatus = strawberry.field(description="Where it is in its life.")
    issued_at: datetime | None = strawberry.field(description="When it was issued.")
    due_at: datetime | None = strawberry.field(description="When it is to be paid, where there is such a day.")
    paid_at: datetime | None = strawberry.field(description="When it was paid.")
    subtotal: Money = strawberry.field(description="The sum of its lines.")
    tax: Money = strawberry.field(description="The tax on it, whether the prices include it or not.")
    total: Money = strawberry.field(description="What it comes to, tax included.")
    amount_due: Money = strawberry.field(description="What is still to be paid.")
    amount_paid: Money = strawberry.field(description="What was paid.")
    amount_refunded: Money = strawberry.field(description="What of it was given back.")
    credit_applied: Money = strawberry.field(description="What the customer's credit with the seller paid of it.")
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change: keep the highest you have seen."
    )
    lines: list[InvoiceLine] = strawberry.field(description="What was billed.")
    tax_lines: list[TaxLine] = strawberry.field(description="The tax by rate.")
    hosted_url: str | None = strawberry.field(description="Stripe's page of it, where an open one can be paid.")
    pdf_url: str | None = strawberry.field(description="Where its PDF can be downloaded.")

    @classmethod
    def of(cls, invoice: MirroredInvoice | InvoiceRow) -> Self:
        """The API's view of a mirrored invoice."""
        currency = invoice.currency
        return cls(
            id=strawberry.ID(str(GlobalId("Invoice", invoice.id, invoice.workspace_id))),
            number=invoice.number,
            status=InvoiceStatus(invoice.status),
            issued_at=invoice.issued_at,
            due_at=invoice.due_at,
            paid_at=invoice.paid_at,
            subtotal=Money.minor(invoice.subtotal_minor, currency),
            tax=Money.minor(invoice.tax_minor, currency),
            total=Money.minor(invoice.total_minor, currency),
            amount_due=Money.minor(invoice.amount_due_minor, currency),
            amount_paid=Money.minor(invoice.amount_paid_minor, currency),
            amount_refunded=Money.minor(invoice.amount_refunded_minor, currency),
            credit_applied=Money.minor(invoice.credit_applied_minor, currency),
            version=BigInt(invoice.version),
            lines=[InvoiceLine.of(line, currency) for line in invoice.lines],
            tax_lines=[TaxLine.of(line, currency) for line in invoice.tax_lines],
            hosted_url=invoice.hosted_url,
            pdf_url=invoice.pdf_url,
        )


@strawberry.type(description="An invoice in a page of them.")
class InvoiceEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: Invoice = strawberry.field(description="The invoice.")


@strawberry.type(description="A page of invoices, newest first.")
class InvoiceConnection:
    edges: list[InvoiceEdge] = strawberry.field(description="The invoices with their cursors.")
    nodes: list[Invoice] = strawberry.field(description="The invoices alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the whole.")

    @classmethod
    def of(cls, page: Page[MirroredInvoice]) -> Self:
        """The API's view of a page."""
        nodes = [Invoice.of(row) for row in page.rows]
        return cls(
            edges=[InvoiceEdge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)],
            nodes=nodes,
            page_info=page_info(page),
        )
