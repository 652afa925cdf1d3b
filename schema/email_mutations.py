"""The e-mail addresses of an account: adding, verifying, choosing and removing them."""

from typing import Annotated, Self

import strawberry

from app.accounts.people.email_addresses import MOST_ADDRESSES
from app.db.tables.people import EmailRow
from app.wording import count
from resolvers import email_mutations
from resolvers.context import Info
from schema.input_texts import EMAIL_FORM
from schema.payloads import IdInput
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors
from schema.users import Email, UserPayload


@strawberry.input(description="An address to be added to the account.")
class AddEmailInput:
    address: str = strawberry.field(description=f"Where the link goes that verifies it; {EMAIL_FORM}.")


@strawberry.type(description="The address as it is now.")
class EmailPayload:
    email: Email | None = strawberry.field(default=None, description="The address; null where userErrors is not empty.")
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, row: EmailRow) -> Self:
        """The payload of success."""
        return cls(email=Email.of(row))


@strawberry.type
class EmailMutation:
    @strawberry.mutation(
        description=(
            "Adds an address to the caller's account and mails it a link; it counts for nothing until the link is followed. "
            "Then the primary address is told by mail. Answers alike whether or not another account has the address. At most "
            f"{count(MOST_ADDRESSES, 'address', 'addresses')}; rate-limited."
        )
    )
    async def add_email(
        self, info: Info, input: Annotated[AddEmailInput, strawberry.argument(description="The address.")]
    ) -> EmailPayload:
        return await answer(EmailPayload, EmailPayload.of, email_mutations.add_email(info.context, input.address))

    @strawberry.mutation(
        description=(
            "Mails another link to one of the caller's addresses. NO_CHANGE for one that is verified already. Rate-limited."
        )
    )
    async def send_email_verification(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The address.")]
    ) -> EmailPayload:
        work = email_mutations.send_email_verification(info.context, input.id)
        return await answer(EmailPayload, EmailPayload.of, work)

    @strawberry.mutation(
        description=(
            "Makes one of the caller's verified addresses the one that mail about the account goes to. EMAIL_UNVERIFIED for one "
            "whose link was not followed. The former one is told by mail."
        )
    )
    async def set_primary_email(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The address.")]
    ) -> EmailPayload:
        return await answer(EmailPayload, EmailPayload.of, email_mutations.set_primary_email(info.context, input.id))

    @strawberry.mutation(
        description=(
            "Forgets one of the caller's addresses. PRIMARY_EMAIL for the primary one. One that was verified is told by mail, and "
            "so is the primary one."
        )
    )
    async def remove_email(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The address.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, email_mutations.remove_email(info.context, input.id))
