"""Asking the sellers to get in touch."""

from typing import Annotated, Self

import strawberry

from app.billing.subscriptions.sales_requests import MOST_MESSAGE_CHARACTERS
from app.wording import count
from resolvers import sales_mutations
from resolvers.context import Info
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors


@strawberry.input(description="About which workspace the sellers are to talk to you.")
class ContactSalesInput:
    workspace_id: strawberry.ID = strawberry.field(description="Which workspace it is about.")
    message: str | None = strawberry.field(
        default=None, description=f"What it is about: at most {count(MOST_MESSAGE_CHARACTERS, 'character')}."
    )


@strawberry.type(description="What to do next.")
class ContactSalesPayload:
    scheduling_url: str | None = strawberry.field(
        default=None,
        description="A page to arrange a talk on; null where the catalog names none, and where userErrors is not empty.",
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, scheduling_url: str | None) -> Self:
        """The payload of success."""
        return cls(scheduling_url=scheduling_url)


@strawberry.type
class SalesMutation:
    @strawberry.mutation(
        description=(
            "Asks the sellers to get in touch, at your primary e-mail address: about a plan by contract, a higher spend limit, or "
            "anything that can't be chosen here. Owners only, in person."
        )
    )
    async def contact_sales(
        self, info: Info, input: Annotated[ContactSalesInput, strawberry.argument(description="What it is about.")]
    ) -> ContactSalesPayload:
        asked = sales_mutations.contact_sales(info.context, input.workspace_id, input.message)
        return await answer(ContactSalesPayload, ContactSalesPayload.of, asked)
