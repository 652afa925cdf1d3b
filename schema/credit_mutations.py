"""Moving credits for the host product: giving, spending, setting aside."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

import strawberry

from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Transaction
from app.money import CreditUnit
from app.wording import duration
from resolvers import credit_mutations
from resolvers.context import Info
from schema.credits import CreditBalance, CreditHold, CreditTransaction, read_balance
from schema.input_texts import MOVEMENT_DESCRIPTION, SUBJECT, idempotency_key
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors


@strawberry.type(description="A movement of credits, and the balance now.")
class CreditTransactionPayload:
    transaction: CreditTransaction | None = strawberry.field(
        default=None, description="The movement; null where userErrors is not empty."
    )

    @strawberry.field(description="The balance now; null where userErrors is not empty.")
    async def credit_balance(self, info: Info) -> CreditBalance | None:
        return await read_balance(info, self.transaction.transaction.workspace_id) if self.transaction else None

    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, moved: Transaction, unit: CreditUnit) -> Self:
        """The payload of a movement."""
        return cls(transaction=CreditTransaction.of(moved, unit))


@strawberry.input(description="What to spend, and what for.")
class DeductCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose credits.")
    amount: Decimal = strawberry.field(description="How many credits, above zero.")
    description: str = strawberry.field(description=f"What for; {MOVEMENT_DESCRIPTION}")
    idempotency_key: str = strawberry.field(description=idempotency_key("spends nothing twice"))
    resource: str | None = strawberry.field(default=None, description="The code of the resource that was used.")
    subject: str | None = strawberry.field(default=None, description=f"Who or what used it: {SUBJECT}")


@strawberry.input(description="What to give, and why.")
class GrantCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Who gets the credits.")
    amount: Decimal = strawberry.field(description="How many credits, above zero.")
    source: Source = strawberry.field(description="PROMOTION or ADJUSTMENT.")
    description: str = strawberry.field(description=f"Why; {MOVEMENT_DESCRIPTION}")
    idempotency_key: str = strawberry.field(description=idempotency_key("gives nothing twice"))
    expires_at: datetime | None = strawberry.field(
        default=None, description="When what is left of them goes; never if absent."
    )


@strawberry.type(description="The hold as it is now, the movement, and the balance now.")
class CreditHoldPayload:
    hold: CreditHold | None = strawberry.field(
        default=None, description="The hold; null where userErrors is not empty."
    )
    transaction: CreditTransaction | None = strawberry.field(
        default=None, description="The movement; null where userErrors is not empty."
    )

    @strawberry.field(description="The balance now; null where userErrors is not empty.")
    async def credit_balance(self, info: Info) -> CreditBalance | None:
        return await read_balance(info, self.transaction.transaction.workspace_id) if self.transaction else None

    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, held: credit_mutations.HoldMovement, unit: CreditUnit) -> Self:
        """The payload of a movement of a hold."""
        return cls(hold=CreditHold.of(held.hold, unit), transaction=CreditTransaction.of(held.transaction, unit))


@strawberry.input(description="What to set aside, and what for.")
class HoldCreditsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose credits.")
    amount: Decimal = strawberry.field(description="How many credits, above zero.")
    description: str = strawberry.field(description=f"What for; {MOVEMENT_DESCRIPTION}")
    idempotency_key: str = strawberry.field(description=idempotency_key("holds nothing twice"))
    expires_in_seconds: int | None = strawberry.field(
        default=int(credit_mutations.USUAL_HOLD.total_seconds()),
        description=f"After how long an open hold lapses by itself; at most {duration(credit_mutations.LONGEST_HOLD)}.",
    )
    resource: str | None = strawberry.field(
        default=None, description="The code of the resource to be used; the hold's capture carries it too."
    )
    subject: str | None = strawberry.field(
        default=None, description=f"Who or what is to use it, which the hold's capture carries too: {SUBJECT}"
    )


@strawberry.input(description="How much of a hold to spend.")
class CaptureHoldInput:
    hold_id: strawberry.ID = strawberry.field(description="An open hold.")
    amount: Decimal = strawberry.field(
        description="How many credits, from zero to the hold's amount; the rest returns."
    )
    idempotency_key: str = strawberry.field(description=idempotency_key("spends nothing twice"))


@strawberry.input(description="Which hold to end unused.")
class ReleaseHoldInput:
    hold_id: strawberry.ID = strawberry.field(description="An open hold.")


@strawberry.type
class CreditMutation:
    @strawberry.mutation(description="Spends credits, all or nothing. Service keys with CREDITS_WRITE only.")
    async def deduct_credits(
        self, info: Info, input: Annotated[DeductCreditsInput, strawberry.argument(description="What to spend.")]
    ) -> CreditTransactionPayload:
        return await answer(
            CreditTransactionPayload,
            lambda moved: CreditTransactionPayload.of(moved, info.context.runtime.catalog.credit_unit),
            credit_mutations.deduct_credits(
                info.context,
                input.workspace_id,
                amount=input.amount,
                description=input.description,
                resource=input.resource,
                subject=input.subject,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description="Gives credits: a promotion, or to put something right. Service keys with OPERATOR only."
    )
    async def grant_credits(
        self, info: Info, input: Annotated[GrantCreditsInput, strawberry.argument(description="What to give.")]
    ) -> CreditTransactionPayload:
        return await answer(
            CreditTransactionPayload,
            lambda moved: CreditTransactionPayload.of(moved, info.context.runtime.catalog.credit_unit),
            credit_mutations.grant_credits(
                info.context,
                input.workspace_id,
                amount=input.amount,
                source=input.source,
                description=input.description,
                expires_at=input.expires_at,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description="Sets credits aside until they are captured, released, or lapse. Service keys with CREDITS_WRITE only."
    )
    async def hold_credits(
        self, info: Info, input: Annotated[HoldCreditsInput, strawberry.argument(description="What to set aside.")]
    ) -> CreditHoldPayload:
        return await answer(
            CreditHoldPayload,
            lambda held: CreditHoldPayload.of(held, info.context.runtime.catalog.credit_unit),
            credit_mutations.hold_credits(
                info.context,
                input.workspace_id,
                amount=input.amount,
                description=input.description,
                resource=input.resource,
                subject=input.subject,
                expires_in_seconds=input.expires_in_seconds,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description=(
            "Spends up to the amount of a hold, once; what is left returns to the grants it came from. Service keys with "
            "CREDITS_WRITE only."
        )
    )
    async def capture_hold(
        self, info: Info, input: Annotated[CaptureHoldInput, strawberry.argument(description="How much.")]
    ) -> CreditHoldPayload:
        return await answer(
            CreditHoldPayload,
            lambda held: CreditHoldPayload.of(held, info.context.runtime.catalog.credit_unit),
            credit_mutations.capture_hold(
                info.context, input.hold_id, amount=input.amount, idempotency_key=input.idempotency_key
            ),
        )

    @strawberry.mutation(
        description="Ends a hold unused; its credits return to the grants they came from. Service keys with CREDITS_WRITE only."
    )
    async def release_hold(
        self, info: Info, input: Annotated[ReleaseHoldInput, strawberry.argument(description="The hold.")]
    ) -> CreditHoldPayload:
        return await answer(
            CreditHoldPayload,
            lambda held: CreditHoldPayload.of(held, info.context.runtime.catalog.credit_unit),
            credit_mutations.release_hold(info.context, input.hold_id),
        )
