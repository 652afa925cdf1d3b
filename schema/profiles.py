"""People as others see them."""

from typing import Annotated, Self

import strawberry

from app.accounts.people import users
from app.ids import GlobalId
from resolvers import avatars
from resolvers.context import Info
from schema.node_interface import Node


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
                    "The width and height wanted in pixels, from 1 to 1024; rounded up to 32, 64, 128, 256, 512 or 1024. An "
                    "image uploaded smaller than that comes as large as it is."
                )
            ),
        ] = avatars.USUAL_SIZE,
    ) -> str | None:
        return avatars.avatar_url(info.context, self.digest, size)

    @classmethod
    def of(cls, user: users.User) -> Self:
        """The API's view of what a person looks like."""
        return cls(digest=user.avatar_digest, initials=user.initials)


@strawberry.type(
    description="What others may see of a person: of a public profile everyone, of a private one fellow members of a workspace."
)
class Profile(Node):
    handle: str = strawberry.field(
        description="The User ID: unique without regard to case; words of letters and digits joined by - or _."
    )
    display_name: str = strawberry.field(description="First and last name, or the handle of a person who gave neither.")
    avatar: Avatar = strawberry.field(description="Their image, or initials.")
    company: str | None = strawberry.field(description="Where they work.")
    job_title: str | None = strawberry.field(description="What they do there.")
    bio: str | None = strawberry.field(description="What they say about themselves.")

    @classmethod
    def of(cls, user: users.User) -> Self:
        """The API's view of a person, for callers who may see their profile."""
        return cls(
            id=strawberry.ID(str(GlobalId("Profile", user.id))),
            handle=user.handle,
            display_name=user.display_name,
            avatar=Avatar.of(user),
            company=user.company,
            job_title=user.job_title,
            bio=user.bio,
        )
