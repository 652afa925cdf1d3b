"""Signing up, in and out, and the sessions that this opens and ends."""

from typing import Annotated, Self

import strawberry

from app.accounts.people.email_addresses import LINK_LIFETIME
from app.accounts.people.sign_up import SignUp
from app.accounts.people.users import MOST_NAME_CHARACTERS
from app.wording import count, duration
from resolvers import sign_in_mutations
from resolvers.context import Info
from schema.input_texts import EMAIL_FORM, HANDLE_FORM, NEW_PASSWORD
from schema.payloads import AcknowledgedPayload, IdInput
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors
from schema.users import User, UserPayload

_NAME = f"at most {count(MOST_NAME_CHARACTERS, 'character')}"


@strawberry.input(description="The form of someone who wants an account.")
class SignUpInput:
    email_address: str = strawberry.field(description=f"Where the link goes that finishes the sign-up; {EMAIL_FORM}.")
    password: str = strawberry.field(description=NEW_PASSWORD)
    handle: str | None = strawberry.field(
        default=None,
        description=(
            f"The User ID wanted: {HANDLE_FORM}. "
            "HANDLE_TAKEN where another goes by it. It is taken when the link is followed; if absent, or gone by then, one is made "
            "up."
        ),
    )
    first_name: str | None = strawberry.field(default=None, description=f"The first name, {_NAME}.")
    last_name: str | None = strawberry.field(default=None, description=f"The last name, {_NAME}.")


@strawberry.input(description="What a mailed link carries.")
class VerifyEmailInput:
    token: str = strawberry.field(
        description=f"The `token` of the mailed link; it works once, within {duration(LINK_LIFETIME)}."
    )
    issue_token: bool | None = strawberry.field(
        default=False, description="Ask for a bearer token instead of a cookie. Web pages never get one."
    )


@strawberry.input(description="Address and password.")
class SignInInput:
    email_address: str = strawberry.field(description="A verified address of the account, without regard to case.")
    password: str = strawberry.field(description="The account's password.")
    issue_token: bool | None = strawberry.field(
        default=False, description="Ask for a bearer token instead of a cookie. Web pages never get one."
    )


@strawberry.type(description="Who is signed in now, and for programs how.")
class SessionPayload:
    user: User | None = strawberry.field(
        default=None,
        description=(
            "The person who is signed in now; null where userErrors is not empty, and after verifyEmail for an address of another "
            "account."
        ),
    )
    token: str | None = strawberry.field(
        default=None,
        description=(
            "Send it as `Authorization: Bearer …`; it can't be read again. Only where issueToken asked for it and the request came "
            "from no web page; otherwise the session is in an HttpOnly cookie."
        ),
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, signed_in: sign_in_mutations.SignedIn | None) -> Self:
        """The payload of success."""
        return cls(user=User.of(signed_in.viewer), token=signed_in.token) if signed_in is not None else cls()


@strawberry.type(description="Whether a session ended.")
class SignOutPayload:
    is_signed_out: bool = strawberry.field(
        description="False when the request came without a session to end, as with an identity provider's token."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)


@strawberry.type
class SignInMutation:
    @strawberry.mutation(
        description=(
            "Asks for an account. Always answers alike, whether or not the address has one: the mailed link finishes it. "
            "Rate-limited per address and per network address."
        )
    )
    async def sign_up(
        self, info: Info, input: Annotated[SignUpInput, strawberry.argument(description="The form.")]
    ) -> AcknowledgedPayload:
        form = SignUp(input.email_address, input.password, input.handle, input.first_name, input.last_name)
        return await answer(AcknowledgedPayload, AcknowledgedPayload.of, sign_in_mutations.sign_up(info.context, form))

    @strawberry.mutation(
        description=(
            "Takes the token of a mailed link; for a new account it also signs in. For an address that was added to an account, "
            "user is null unless it is the caller's. TOKEN_EXPIRED for a link that is used, unknown or older than "
            f"{duration(LINK_LIFETIME)}; "
            "EMAIL_TAKEN when an account has verified the address meanwhile. What signs in can't be sent over a socket, which sets "
            "no cookie, unless a program asks for the token: BAD_USER_INPUT, and the link stays good."
        )
    )
    async def verify_email(
        self, info: Info, input: Annotated[VerifyEmailInput, strawberry.argument(description="The link's token.")]
    ) -> SessionPayload:
        work = sign_in_mutations.verify_email(info.context, input.token, issue_token=bool(input.issue_token))
        return await answer(SessionPayload, SessionPayload.of, work)

    @strawberry.mutation(
        description=(
            "Signs in by address and password, with a cookie or a bearer token. WRONG_CREDENTIALS for everything that is wrong, an "
            "unverified address too. Failures are rate-limited per address and per network address. A socket can't set the cookie: "
            "BAD_USER_INPUT there, unless a program asks for the token."
        )
    )
    async def sign_in(
        self, info: Info, input: Annotated[SignInInput, strawberry.argument(description="Address and password.")]
    ) -> SessionPayload:
        work = sign_in_mutations.sign_in(
            info.context, input.email_address, input.password, issue_token=bool(input.issue_token)
        )
        return await answer(SessionPayload, SessionPayload.of, work)

    @strawberry.mutation(description="Ends the session that the request came with, and its cookie.")
    async def sign_out(self, info: Info) -> SignOutPayload:
        return SignOutPayload(is_signed_out=await sign_in_mutations.sign_out(info.context))

    @strawberry.mutation(
        description=(
            "Ends one of the caller's own sessions; its live updates end within a minute. NOT_FOUND for one that has ended already."
        )
    )
    async def revoke_session(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The session.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, sign_in_mutations.revoke_session(info.context, input.id))
