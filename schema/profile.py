"""People as others see them."""

from typing import Annotated, Self

import strawberry

from app.accounts import users
from app.ids import GlobalId
from schema.node import Node


@strawberry.type(description="What a person looks like, or the initials that stand in.")
class Avatar:
    initials: str = strawberry.field(description="One or two letters of the name, or of the User ID without one.")

    @strawberry.field(description="Where the image can be read; null when none was uploaded: then initials stand in.")
    def url(
        self,
        size: Annotated[int | None, strawberry.argument(description="The width and height wanted, in pixels.")] = 128,
    ) -> str | None:
        return None


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
            avatar=Avatar(initials=user.initials),
            company=user.company,
            job_title=user.job_title,
            bio=user.bio,
        )
