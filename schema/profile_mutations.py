"""What people change about themselves: names, visibility, User ID, e-mail addresses."""

from typing import Annotated, Self

import strawberry

from app.accounts.people.users import Visibility
from app.db.tables.people import EmailRow
from resolvers import profile_changes
from resolvers.context import Info
from schema.payloads import IdInput
from schema.profiles import Profile
from schema.sign_in_mutations import UserPayload
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors
from schema.users import Email


@strawberry.input(
    description="What the person tells about themselves. An omitted field stays; an explicit null clears it."
)
class UpdateProfileInput:
    first_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The first name, at most 100 characters."
    )
    last_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The last name, at most 100 characters."
    )
    company: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where they work, at most 100 characters."
    )
    job_title: str | None = strawberry.field(
        default=strawberry.UNSET, description="What they do there, at most 100 characters."
    )
    bio: str | None = strawberry.field(
        default=strawberry.UNSET, description="What they say about themselves: lines of text, at most 1,000 characters."
    )

    def changes(self) -> dict[str, str | None]:
        """The fields that were given, by name."""
        return {name: text for name, text in vars(self).items() if text is not strawberry.UNSET}


@strawberry.input(description="The User ID wanted.")
class ChangeHandleInput:
    handle: str = strawberry.field(
        description="3 to 39 letters (A to Z) and digits, in words joined by single hyphens or underscores."
    )


@strawberry.input(description="Who may read the profile.")
class UpdateVisibilityInput:
    visibility: Visibility = strawberry.field(description="Everyone, or fellow members only.")


@strawberry.input(description="An address to be added to the account.")
class AddEmailInput:
    address: str = strawberry.field(description="Where the link goes that verifies it; ASCII, at most 254 characters.")


@strawberry.type(description="The address as it is now.")
class EmailPayload:
    email: Email | None = strawberry.field(default=None, description="The address; null where userErrors is not empty.")
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, row: EmailRow) -> Self:
        """The payload of success."""
        return cls(email=Email.of(row))


@strawberry.type
class ProfileQuery:
    @strawberry.field(
        description=(
            "A person's profile by their User ID, without regard to case. Null where there is none, and for a private one unless "
            "it is the caller's own or a fellow member's."
        )
    )
    async def profile(
        self, info: Info, handle: Annotated[str, strawberry.argument(description="The User ID.")]
    ) -> Profile | None:
        found = await profile_changes.by_handle(info.context, handle)
        return Profile.of(found) if found is not None else None


@strawberry.type
class ProfileMutation:
    @strawberry.mutation(description="Changes what the caller tells about themselves.")
    async def update_profile(
        self, info: Info, input: Annotated[UpdateProfileInput, strawberry.argument(description="What to change.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, profile_changes.update_profile(info.context, input.changes()))

    @strawberry.mutation(
        description=(
            "Changes the caller's User ID. Mind: old links and old API calls that used the former one stop working at once, with "
            "no redirect, and telling collaborators is up to the user. The former one can't be taken by others for 30 days. "
            "HANDLE_INVALID, HANDLE_TAKEN. Rate-limited."
        )
    )
    async def change_handle(
        self, info: Info, input: Annotated[ChangeHandleInput, strawberry.argument(description="The User ID wanted.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, profile_changes.change_handle(info.context, input.handle))

    @strawberry.mutation(description="Lets everyone read the caller's profile, or only fellow members of a workspace.")
    async def update_visibility(
        self, info: Info, input: Annotated[UpdateVisibilityInput, strawberry.argument(description="Who may read it.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, profile_changes.set_visibility(info.context, input.visibility))

    @strawberry.mutation(
        description=(
            "Adds an address to the caller's account and mails it a link; it counts for nothing until the link is followed. "
            "Then the primary address is told by mail. Answers alike whether or not another account has the address. At most 10 "
            "addresses; rate-limited."
        )
    )
    async def add_email(
        self, info: Info, input: Annotated[AddEmailInput, strawberry.argument(description="The address.")]
    ) -> EmailPayload:
        return await answer(EmailPayload, EmailPayload.of, profile_changes.add_email(info.context, input.address))

    @strawberry.mutation(
        description=(
            "Mails another link to one of the caller's addresses. NO_CHANGE for one that is verified already. Rate-limited."
        )
    )
    async def send_email_verification(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The address.")]
    ) -> EmailPayload:
        work = profile_changes.send_email_verification(info.context, input.id)
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
        return await answer(EmailPayload, EmailPayload.of, profile_changes.set_primary_email(info.context, input.id))

    @strawberry.mutation(
        description=(
            "Forgets one of the caller's addresses. PRIMARY_EMAIL for the primary one. One that was verified is told by mail, and "
            "so is the primary one."
        )
    )
    async def remove_email(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The address.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, profile_changes.remove_email(info.context, input.id))
