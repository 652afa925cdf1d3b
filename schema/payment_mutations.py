"""Saving and choosing cards, and paying invoices with them."""

from typing import Annotated, Self

import strawberry

from app.db.tables.payments import CardRow
from app.flows.invoices.pay_invoice import InvoicePaid
from app.flows.provider.cards import CardSetup
from resolvers import payments
from resolvers.context import Info
from schema.payloads import IdInput
from schema.payments import Invoice, PaymentMethod
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors, user_error
from schema.workspaces import WorkspacePayload


@strawberry.input(description="Which workspace gets the card, and where to come back to.")
class AddPaymentMethodInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that will be charged.")
    return_url: str | None = strawberry.field(
        default=None, description="Where the hosted page leads back to; must be on the configured list."
    )


@strawberry.type(description="How to save the card.")
class AddPaymentMethodPayload:
    client_secret: str | None = strawberry.field(
        default=None,
        description="Of a SetupIntent: confirm it with Stripe.js or the mobile SDK. Null where userErrors is not empty.",
    )
    hosted_url: str | None = strawberry.field(
        default=None, description="A page for those without Stripe.js or an SDK. Null where userErrors is not empty."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, setup: CardSetup) -> Self:
        """The payload of success."""
        return cls(client_secret=setup.client_secret, hosted_url=setup.hosted_url)


@strawberry.type(description="The card as it is now.")
class PaymentMethodPayload:
    payment_method: PaymentMethod | None = strawberry.field(
        default=None, description="The card; null where userErrors is not empty."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, card: CardRow) -> Self:
        """The payload of success."""
        return cls(payment_method=PaymentMethod.of(card))


@strawberry.input(description="Which invoice to pay.")
class PayInvoiceInput:
    invoice_id: strawberry.ID = strawberry.field(description="An open invoice.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again pays nothing twice."
    )


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
class PayingMutation:
    @strawberry.mutation(
        description=(
            "Begins to save a card: a SetupIntent for Stripe.js or the mobile SDK. The first card becomes the default. "
            "EMAIL_UNVERIFIED for a person none of whose addresses is verified. Owners only."
        )
    )
    async def add_payment_method(
        self, info: Info, input: Annotated[AddPaymentMethodInput, strawberry.argument(description="What and where.")]
    ) -> AddPaymentMethodPayload:
        return await answer(
            AddPaymentMethodPayload,
            AddPaymentMethodPayload.of,
            payments.add_payment_method(info.context, input.workspace_id, input.return_url),
        )

    @strawberry.mutation(description="Makes a card the one that is charged when no other is named. Owners only.")
    async def set_default_payment_method(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The card.")]
    ) -> PaymentMethodPayload:
        return await answer(
            PaymentMethodPayload,
            PaymentMethodPayload.of,
            payments.set_default_payment_method(info.context, input.id),
        )

    @strawberry.mutation(
        description="Removes a card. Where it was the default, the oldest that is left becomes it. Owners only."
    )
    async def remove_payment_method(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The card.")]
    ) -> WorkspacePayload:
        return await answer(
            WorkspacePayload, WorkspacePayload.of, payments.remove_payment_method(info.context, input.id)
        )

    @strawberry.mutation(description="Pays an open invoice with the default card. Owners only.")
    async def pay_invoice(
        self, info: Info, input: Annotated[PayInvoiceInput, strawberry.argument(description="The invoice.")]
    ) -> InvoicePayload:
        return await answer(
            InvoicePayload,
            InvoicePayload.of,
            payments.pay_open_invoice(info.context, input.invoice_id, input.idempotency_key),
        )
