"""Passwords: changing one, and resetting one by a mailed link."""

from typing import Annotated

import strawberry

from app.accounts.people.password_changes import LINK_LIFETIME
from app.wording import duration
from resolvers import password_mutations
from resolvers.context import Info
from schema.input_texts import NEW_PASSWORD
from schema.payloads import AcknowledgedPayload
from schema.sign_in_mutations import SessionPayload
from schema.user_errors import answer
from schema.users import UserPayload


@strawberry.input(description="Whose password is to be reset.")
class RequestPasswordResetInput:
    email_address: str = strawberry.field(description="A verified address of the account.")


@strawberry.input(description="What a mailed link carries, and the new password.")
class ResetPasswordInput:
    token: str = strawberry.field(
        description=f"The `token` of the mailed link; it works once, within {duration(LINK_LIFETIME)}."
    )
    new_password: str = strawberry.field(description=NEW_PASSWORD)


@strawberry.input(description="The password there is, and the new one.")
class ChangePasswordInput:
    current_password: str = strawberry.field(description="The caller's password.")
    new_password: str = strawberry.field(description=NEW_PASSWORD)


@strawberry.type
class PasswordMutation:
    @strawberry.mutation(
        description=(
            "Asks for a mailed link to choose a new password. Always answers alike, whether or not the address has an account. "
            "Rate-limited per address and per network address."
        )
    )
    async def request_password_reset(
        self, info: Info, input: Annotated[RequestPasswordResetInput, strawberry.argument(description="The address.")]
    ) -> AcknowledgedPayload:
        work = password_mutations.request_reset(info.context, input.email_address)
        return await answer(AcknowledgedPayload, AcknowledgedPayload.of, work)

    @strawberry.mutation(
        description=(
            "Takes the token of a mailed link and sets a new password. Every session of the account ends, and a new one "
            f"begins, in a cookie. TOKEN_EXPIRED for a link that is used, unknown or older than {duration(LINK_LIFETIME)}; "
            "BAD_USER_INPUT over a "
            "socket, which can't set the cookie: the link stays good."
        )
    )
    async def reset_password(
        self, info: Info, input: Annotated[ResetPasswordInput, strawberry.argument(description="Token and password.")]
    ) -> SessionPayload:
        work = password_mutations.reset_password(info.context, input.token, input.new_password)
        return await answer(SessionPayload, SessionPayload.of, work)

    @strawberry.mutation(
        description=(
            "Changes the caller's password and ends their other sessions. WRONG_CREDENTIALS for a wrong current one, and "
            "for an account without one: requestPasswordReset sets a first one. Failures are rate-limited."
        )
    )
    async def change_password(
        self, info: Info, input: Annotated[ChangePasswordInput, strawberry.argument(description="Both passwords.")]
    ) -> UserPayload:
        work = password_mutations.change_password(info.context, input.current_password, input.new_password)
        return await answer(UserPayload, UserPayload.of, work)
