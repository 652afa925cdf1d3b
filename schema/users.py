"""The person who is asking: their account, addresses and sessions."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Self

import strawberry

from app.accounts.access.callers import UserCaller
from app.accounts.people.sessions import LIFETIME
from app.accounts.people.users import Visibility
from app.db.tables.people import EmailRow
from app.ids import GlobalId
from app.wording import duration
from resolvers import users
from resolvers.context import Context, Info
from schema.avatars import Avatar
from schema.enums import described
from schema.node_interface import Node
from schema.user_errors import USER_ERRORS, UserError, no_errors
from schema.workspaces import Workspace

described(
    Visibility,
    "Who may read a profile.",
    {
        Visibility.PUBLIC: "Everyone.",
        Visibility.PRIVATE: "Its owner, and fellow members of a workspace.",
    },
)


@strawberry.type(description="An e-mail address of a user.")
class Email(Node):
    address: str = strawberry.field(description="As its owner writes it; compared without regard to case.")
    is_primary: bool = strawberry.field(description="Whether this is where mail about the account goes.")
    is_verified: bool = strawberry.field(
        description=(
            "Whether its owner followed the mailed link, or the identity provider calls it verified; only then it can sign in or "
            "become primary."
        )
    )
    created_at: datetime = strawberry.field(description="When it was added.")

    @classmethod
    def of(cls, row: users.Email | EmailRow) -> Self:
        """The API's view of an address."""
        return cls(
            id=strawberry.ID(str(GlobalId("Email", row.id))),
            address=row.address,
            is_primary=row.is_primary,
            is_verified=row.verified_at is not None,
            created_at=row.created_at,
        )


@strawberry.type(description=f"A signed-in browser or program. It ends {duration(LIFETIME)} after its last use.")
class Session(Node):
    user_agent: str | None = strawberry.field(
        description="What the browser or program called itself when it signed in."
    )
    created_at: datetime = strawberry.field(description="When it signed in.")
    last_seen_at: datetime = strawberry.field(description="When it was last used, to the minute.")
    is_current: bool = strawberry.field(
        description="Whether it is the one that this request came with; none is, for who comes with an identity provider's token."
    )

    @classmethod
    def of(cls, row: users.OpenSession, caller: UserCaller) -> Self:
        """The API's view of a session, as seen from the caller's."""
        return cls(
            id=strawberry.ID(str(GlobalId("Session", row.id))),
            user_agent=row.user_agent,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_current=row.id == caller.session_id,
        )


@strawberry.type(description="A person's account, as only they see it.")
class User(Node):
    viewer: strawberry.Private[users.Viewer]
    handle: str = strawberry.field(
        description="The User ID: unique without regard to case; words of letters and digits joined by - or _."
    )
    first_name: str | None = strawberry.field(description="The first name.")
    last_name: str | None = strawberry.field(description="The last name.")
    display_name: str = strawberry.field(description="First and last name, or the handle of a person who gave neither.")
    company: str | None = strawberry.field(description="Where they work.")
    job_title: str | None = strawberry.field(description="What they do there.")
    bio: str | None = strawberry.field(description="What they say about themselves.")
    avatar: Avatar = strawberry.field(description="Their image, or initials.")
    visibility: Visibility = strawberry.field(description="Who may read their profile; a new account is private.")
    created_at: datetime = strawberry.field(description="When the account was made.")

    @strawberry.field(description="Their addresses, the primary one first, then the oldest.")
    async def emails(self, info: Info) -> list[Email]:
        return [Email.of(row) for row in await users.emails(info.context, self.viewer)]

    @strawberry.field(
        description=(
            "The address that mail about the account goes to. Who came from an identity provider that did not call their address "
            "verified has no such address yet: then it is that one, neither primary nor verified."
        )
    )
    async def primary_email(self, info: Info) -> Email:
        return Email.of(await users.primary_email(info.context, self.viewer))

    @strawberry.field(
        description="The workspaces they belong to, the personal one first, then in the order of joining."
    )
    async def workspaces(self, info: Info) -> list[Workspace]:
        return [Workspace.of(access) for access in await users.workspaces(info.context, self.viewer)]

    @strawberry.field(description="The workspace that is theirs alone; it came with the account.")
    def personal_workspace(self) -> Workspace:
        return Workspace.of(users.personal_workspace(self.viewer))

    @strawberry.field(
        description="Where they are signed in, the latest used first; each can be ended with revokeSession."
    )
    async def sessions(self, info: Info) -> list[Session]:
        rows = await users.open_sessions(info.context, self.viewer)
        return [Session.of(row, self.viewer.caller) for row in rows]

    @classmethod
    def of(cls, viewer: users.Viewer) -> Self:
        """The API's view of the person who is asking."""
        user = viewer.user
        return cls(
            viewer=viewer,
            id=strawberry.ID(str(GlobalId("User", user.id))),
            handle=user.handle,
            first_name=user.first_name,
            last_name=user.last_name,
            display_name=user.display_name,
            company=user.company,
            job_title=user.job_title,
            bio=user.bio,
            avatar=Avatar.of(user),
            visibility=user.visibility,
            created_at=user.created_at,
        )


async def _user(context: Context, node_id: str) -> Node | None:
    viewer = await users.user(context, node_id)
    return User.of(viewer) if viewer is not None else None


async def _email(context: Context, node_id: str) -> Node | None:
    row = await users.email(context, node_id)
    return Email.of(row) if row is not None else None


async def _session(context: Context, node_id: str) -> Node | None:
    found = await users.open_session(context, node_id)
    return Session.of(*found) if found is not None else None


# how `node` reads what this file describes
USER_NODES: Mapping[str, Callable[[Context, str], Awaitable[Node | None]]] = {
    "User": _user,
    "Email": _email,
    "Session": _session,
}


@strawberry.type(description="The person as they are now.")
class UserPayload:
    user: User | None = strawberry.field(default=None, description="The person; null where userErrors is not empty.")
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, viewer: users.Viewer) -> Self:
        """The payload of success."""
        return cls(user=User.of(viewer))


@strawberry.type
class UserQuery:
    @strawberry.field(description="The signed-in user; null when the request carries no valid credentials, or a key's.")
    async def viewer(self, info: Info) -> User | None:
        viewer = await users.viewer(info.context)
        return User.of(viewer) if viewer is not None else None
