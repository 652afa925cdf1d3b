"""Avatars: what a person looks like, and where that can be read."""

from typing import Annotated, Self

import strawberry

from app.accounts.avatars.stored_images import SIZES
from app.accounts.people import users
from resolvers import avatars
from resolvers.context import Info


@strawberry.type(description="What a person looks like, or the initials that stand in.")
class Avatar:
    digest: strawberry.Private[str | None]
    initials: str = strawberry.field(description="One or two letters of the name, or of the User ID without one.")

    @strawberry.field(
        description=(
            "Where the image can be read, by anyone who has the address; null when none was uploaded: then initials stand in. "
            "Another image gets another address."
        )
    )
    def url(
        self,
        info: Info,
        size: Annotated[
            int | None,
            strawberry.argument(
                description=(
                    f"The width and height wanted in pixels, from 1 to {SIZES[-1]}; rounded up to "
                    f"{', '.join(map(str, SIZES[:-1]))} or {SIZES[-1]}. An image uploaded smaller than that comes as large as "
                    "it is."
                )
            ),
        ] = avatars.USUAL_SIZE,
    ) -> str | None:
        return avatars.avatar_url(info.context, self.digest, size)

    @classmethod
    def of(cls, user: users.User) -> Self:
        """The API's view of what a person looks like."""
        return cls(digest=user.avatar_digest, initials=user.initials)
