"""Saving, choosing and removing cards."""

from typing import Annotated, Self

import strawberry

from app.db.tables.payments import CardRow
from app.flows.provider.cards import CardSetup
from app.store.billing_accounts import Card
from resolvers import payment_method_mutations
from resolvers.context import Info
from schema.payloads import IdInput
from schema.payment_methods import PaymentMethod
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors
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
    def of(cls, card: Card | CardRow) -> Self:
        """The payload of success."""
        return cls(payment_method=PaymentMethod.of(card))


@strawberry.type
class PaymentMethodMutation:
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
            payment_method_mutations.add_payment_method(info.context, input.workspace_id, input.return_url),
        )

    @strawberry.mutation(description="Makes a card the one that is charged when no other is named. Owners only.")
    async def set_default_payment_method(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The card.")]
    ) -> PaymentMethodPayload:
        return await answer(
            PaymentMethodPayload,
            PaymentMethodPayload.of,
            payment_method_mutations.set_default_payment_method(info.context, input.id),
        )

    @strawberry.mutation(
        description="Removes a card. Where it was the default, the oldest that is left becomes it. Owners only."
    )
    async def remove_payment_method(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The card.")]
    ) -> WorkspacePayload:
        return await answer(
            WorkspacePayload,
            WorkspacePayload.of,
            payment_method_mutations.remove_payment_method(info.context, input.id),
        )
