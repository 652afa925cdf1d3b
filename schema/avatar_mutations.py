"""Giving the caller an avatar, and taking it away."""

from typing import Annotated

import strawberry

from resolvers import avatar_mutations
from resolvers.context import Info
from schema.input_texts import LARGEST_FILE, LARGEST_PICTURE
from schema.scalars import Upload
from schema.user_errors import answer
from schema.users import UserPayload


@strawberry.input(description=f"A picture: JPEG or PNG, at most {LARGEST_FILE} and {LARGEST_PICTURE}.")
class UploadAvatarInput:
    file: Upload = strawberry.field(description="The file; judged by its content, whatever its name says.")


@strawberry.type
class AvatarMutation:
    @strawberry.mutation(
        description=(
            "Makes a picture the caller's avatar, in place of the one before: its middle as a square, turned upright, without the "
            f"file's metadata. FILE_TYPE for what is neither JPEG nor PNG, or damaged; FILE_TOO_LARGE above {LARGEST_FILE} or "
            f"{LARGEST_PICTURE}. Rate-limited per person. Send it as the GraphQL multipart request specification says, with a "
            "header "
            "such as GraphQL-Require-Preflight: 1."
        )
    )
    async def upload_avatar(
        self, info: Info, input: Annotated[UploadAvatarInput, strawberry.argument(description="The picture.")]
    ) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, avatar_mutations.upload_avatar(info.context, input.file))

    @strawberry.mutation(description="Takes the caller's avatar away, if there is one: then initials stand in.")
    async def remove_avatar(self, info: Info) -> UserPayload:
        return await answer(UserPayload, UserPayload.of, avatar_mutations.remove_avatar(info.context))
