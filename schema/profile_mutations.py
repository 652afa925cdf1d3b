"""What people change about themselves: names, visibility, User ID."""

from typing import Annotated

import strawberry

from app.accounts.people.handles import HOLD_PERIOD
from app.accounts.people.profile_changes import MOST_BIO_CHARACTERS, MOST_LINE_CHARACTERS
from app.accounts.people.users import MOST_NAME_CHARACTERS, Visibility
from app.wording import count, duration
from resolvers import profile_mutations
from resolvers.context import Info
from schema.input_texts import HANDLE_FORM
from schema.user_errors import answer
from schema.users import UserPayload

_NAME = f"at most {count(MOST_NAME_CHARACTERS, 'character')}"
_LINE = f"at most {count(MOST_LINE_CHARACTERS, 'character')}"


@strawberry.input(
    description="What the person tells about themselves. An omitted field stays; an explicit null clears it."
)
class UpdateProfileInput:
    first_name: str | None = strawberry.field(default=strawberry.UNSET, description=f"The first name, {_NAME}.")
    last_name: str | None = strawberry.field(default=strawberry.UNSET, description=f"The last name, {_NAME}.")
    company: str | None = strawberry.field(default=strawberry.UNSET, description=f"Where they work, {_LINE}.")
    job_title: str | None = strawberry.field(default=strawberry.UNSET, description=f"What they do there, {_LINE}.")
    bio: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"What they say about themselves: lines of text, at most {count(MOST_BIO_CHARACTERS, 'character')}.",
    )

    def changes(self) -> dict[str, str | None]:
        """The fields that were given, by name."""
        return {name: text for name, text in vars(self).items() if text is not strawberry.UNSET}


@strawberry.input(description="The User ID wanted.")
class ChangeHandleInput:
    handle: str = strawberry.field(description=f"{HANDLE_FORM}.")


@strawberry.input(description="Who may read the profile.")
class UpdateVisibilityInput:
    visibility: Visibility = strawberry.field(description="Everyone, or fellow members only.")


@strawberry.type
class ProfileMutation:
    @strawberry.mutation(description="Changes what the caller tells about themselves.")
    async def update_profile(
        self, info: Info, input: Annotated[UpdateProfileInput, strawberry.argument(description="What to change.")]
    ) -> UserPayload:
        return await answer(
            UserPayload, UserPayload.of, profile_mutations.update_profile(info.context, input.changes())
        )

    @strawberry.mutation(
        description=(
            "Changes the caller's User ID. Mind: old links and old API calls that used the former one stop working at once, with "
            "no redirect, and telling collaborators is up to the user. The former one can't be taken by others for "
            f"{duration(HOLD_PERIOD)}. HANDLE_INVALID, HANDLE_TAKEN. Rate-limited."
        )
    )
    async def change_handle(
        self, info: Info, input: Annotated[ChangeHandleInput, strawberry.argument(description="The User ID wanted.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, profile_mutations.change_handle(info.context, input.handle))

    @strawberry.mutation(description="Lets everyone read the caller's profile, or only fellow members of a workspace.")
    async def update_visibility(
        self, info: Info, input: Annotated[UpdateVisibilityInput, strawberry.argument(description="Who may read it.")]
    ) -> UserPayload:
        return await answer(
            UserPayload, UserPayload.of, profile_mutations.set_visibility(info.context, input.visibility)
        )
