"""Paying invoices."""

from typing import Annotated, Self

import strawberry

from app.flows.invoices.pay_invoice import InvoicePaid
from resolvers import invoice_mutations
from resolvers.context import Info
from schema.input_texts import idempotency_key
from schema.invoices import Invoice
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors, user_error


@strawberry.input(description="Which invoice to pay.")
class PayInvoiceInput:
    invoice_id: strawberry.ID = strawberry.field(description="An open invoice.")
    idempotency_key: str = strawberry.field(description=idempotency_key("pays nothing twice"))


@strawberry.type(description="The invoice as it is now.")
class InvoicePayload:
    invoice: Invoice | None = strawberry.field(
        default=None, description="The invoice, paid or not; null where no payment was tried: userErrors says why."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, paid: InvoicePaid) -> Self:
        """The payload of a try to pay."""
        return cls(
            invoice=Invoice.of(paid.invoice), user_errors=[user_error(paid.error)] if paid.error is not None else []
        )


@strawberry.type
class InvoiceMutation:
    @strawberry.mutation(description="Pays an open invoice with the default card. Owners only.")
    async def pay_invoice(
        self, info: Info, input: Annotated[PayInvoiceInput, strawberry.argument(description="The invoice.")]
    ) -> InvoicePayload:
        return await answer(
            InvoicePayload,
            InvoicePayload.of,
            invoice_mutations.pay_open_invoice(info.context, input.invoice_id, input.idempotency_key),
        )
