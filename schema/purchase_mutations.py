"""Buying credits."""

from decimal import Decimal
from typing import Annotated, Self

import strawberry

from app.catalog import Catalog
from resolvers import invoices, purchase_mutations
from resolvers.context import Info
from schema.credits import CreditBalance, CreditTransaction, read_balance
from schema.input_texts import idempotency_key
from schema.invoices import Invoice
from schema.purchases import CreditPurchase
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors, user_error


@strawberry.input(description="What to buy: exactly one of packCode and amount.")
class RechargeCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Who gets the credits and pays for them.")
    idempotency_key: str = strawberry.field(description=idempotency_key("buys nothing twice"))
    pack_code: str | None = strawberry.field(default=None, description="The pack to buy.")
    amount: Decimal | None = strawberry.field(
        default=None,
        description="How much money to spend, in the catalog's currency, before tax where tax comes on top.",
    )
    payment_method_id: strawberry.ID | None = strawberry.field(
        default=None, description="The card to charge; the default one if absent."
    )
    success_url: str | None = strawberry.field(default=None, description="Where a Checkout leads to when it is paid.")
    cancel_url: str | None = strawberry.field(
        default=None, description="Where a Checkout leads to when it is left without paying."
    )


@strawberry.type(description="The purchase as it stands, and what it led to.")
class RechargePayload:
    purchase: CreditPurchase | None = strawberry.field(
        default=None, description="The purchase, whatever became of it; null where none was begun: userErrors says why."
    )

    @strawberry.field(description="The balance now; null where no purchase was begun.")
    async def credit_balance(self, info: Info) -> CreditBalance | None:
        return await read_balance(info, self.purchase.row.workspace_id) if self.purchase else None

    @strawberry.field(description="The movement that credited it; null until it is paid.")
    async def transaction(self, info: Info) -> CreditTransaction | None:
        if self.purchase is None:
            return None
        row = self.purchase.row
        found = await purchase_mutations.crediting_transaction(info.context, row.workspace_id, row.id)
        return CreditTransaction.of(found, info.context.runtime.catalog.credit_unit) if found is not None else None

    @strawberry.field(description="The invoice behind it; null until it is issued.")
    async def invoice(self, info: Info) -> Invoice | None:
        if self.purchase is None:
            return None
        found = await invoices.invoice_of_purchase(info.context, self.purchase.row.workspace_id, self.purchase.row.id)
        return Invoice.of(found) if found is not None else None

    checkout_url: str | None = strawberry.field(
        default=None, description="Where to pay, without a card on file; null with one, and once the Checkout is over."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, answer: purchase_mutations.RechargeAnswer, catalog: Catalog) -> Self:
        """The payload of a purchase."""
        return cls(
            purchase=CreditPurchase.of(answer.purchase, catalog.credit_unit),
            checkout_url=answer.purchase.checkout_url,
            user_errors=[user_error(answer.error)] if answer.error else [],
        )


@strawberry.type
class PurchaseMutation:
    @strawberry.mutation(
        description=(
            "Buys credits with the default or a named card; without a card, checkoutUrl is where to pay. They are granted when, "
            "and only when, the payment succeeded, once. EMAIL_UNVERIFIED for a person none of whose addresses is verified. "
            "Owners only."
        )
    )
    async def recharge_credits(
        self, info: Info, input: Annotated[RechargeCreditsInput, strawberry.argument(description="What to buy.")]
    ) -> RechargePayload:
        return await answer(
            RechargePayload,
            lambda bought: RechargePayload.of(bought, info.context.runtime.catalog),
            purchase_mutations.recharge_credits(
                info.context,
                input.workspace_id,
                pack_code=input.pack_code,
                amount=input.amount,
                payment_method_id=input.payment_method_id,
                success_url=input.success_url,
                cancel_url=input.cancel_url,
                idempotency_key=input.idempotency_key,
            ),
        )
