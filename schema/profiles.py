"""People as others see them."""

from typing import Annotated, Self

import strawberry

from app.accounts.people import users
from app.ids import GlobalId
from resolvers import profiles
from resolvers.context import Info
from schema.avatars import Avatar
from schema.node_interface import Node


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
        found = await profiles.profile_by_handle(info.context, handle)
        return Profile.of(found) if found is not None else None
