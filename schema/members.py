"""Who belongs to a workspace, and who is invited."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry

from app.accounts.access.permissions import WorkspaceRole
from app.accounts.workspaces import invitations
from app.db.tables.workspaces import InvitationRow
from app.ids import GlobalId
from app.store.invitations import Offered, OpenInvitation
from app.store.memberships import SeenMembership
from app.wording import duration
from resolvers import members, profiles
from resolvers.context import Info
from resolvers.pagination import Page
from schema.enums import described
from schema.node_interface import Node
from schema.pagination import PageInfo, page_info
from schema.profiles import Profile

described(
    WorkspaceRole,
    "What a user is in a workspace. Billing is the owners'.",
    {
        WorkspaceRole.OWNER: "May do everything, billing included.",
        WorkspaceRole.ADMIN: "Manages admins and members, while holding a seat, and sees what members see.",
        WorkspaceRole.MEMBER: "Sees the plan, the seats and the fellow members.",
    },
)


@strawberry.type(
    description=(
        "That a person belongs to a workspace, and as what. Each membership holds a seat, as long as there are as many seats as "
        "members."
    )
)
class Membership(Node):
    row: strawberry.Private[SeenMembership]
    role: WorkspaceRole = strawberry.field(description="What they are there.")
    joined_at: datetime = strawberry.field(description="When they joined.")

    @strawberry.field(description="Who it is, as fellow members see them.")
    async def user(self, info: Info) -> Profile:
        return Profile.of(await profiles.profile_of(info.context, self.row.user_id))

    @strawberry.field(
        description=(
            "Whether the member holds a seat. Where there are fewer seats than members, the owners do first, then who joined "
            "first; those without one stay, for the host product to treat as read-only, and an admin without one may do what a "
            "member may."
        )
    )
    async def holds_seat(self, info: Info) -> bool:
        return await members.holds_seat(info.context, self.row.workspace_id, self.row.user_id)

    @classmethod
    def of(cls, row: SeenMembership) -> Self:
        """The API's view of a membership."""
        return cls(
            row=row,
            id=strawberry.ID(str(GlobalId("Membership", row.user_id, row.workspace_id))),
            role=WorkspaceRole(row.role),
            joined_at=row.joined_at,
        )


@strawberry.type(description="A member in a page of them.")
class MembershipEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: Membership = strawberry.field(description="The member.")


@strawberry.type(description="A page of members, who joined last first.")
class MembershipConnection:
    workspace_id: strawberry.Private[UUID]
    edges: list[MembershipEdge] = strawberry.field(description="The members with their cursors.")
    nodes: list[Membership] = strawberry.field(description="The members alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the whole.")

    @strawberry.field(description="How many members there are in all.")
    async def total_count(self, info: Info) -> int:
        return await members.member_count(info.context, self.workspace_id)

    @classmethod
    def of(cls, page: Page[SeenMembership], workspace_id: UUID) -> Self:
        """The API's view of a page."""
        nodes = [Membership.of(row) for row in page.rows]
        return cls(
            workspace_id=workspace_id,
            edges=[MembershipEdge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)],
            nodes=nodes,
            page_info=page_info(page),
        )


@strawberry.type(
    description=(
        "An invitation that was sent and has neither been accepted, revoked nor lapsed. It is bound to an address, and its mailed "
        "link works once."
    )
)
class Invitation(Node):
    email_address: str = strawberry.field(description="Where the link was mailed to.")
    role: WorkspaceRole = strawberry.field(description="What the person will be who accepts it.")
    expires_at: datetime = strawberry.field(
        description=f"When the link lapses: {duration(invitations.LIFETIME)} after it was mailed."
    )

    @classmethod
    def of(cls, row: OpenInvitation | InvitationRow) -> Self:
        """The API's view of an open invitation."""
        return cls(
            id=strawberry.ID(str(GlobalId("Invitation", row.id, row.workspace_id))),
            email_address=row.address or "",
            role=WorkspaceRole(row.role),
            expires_at=row.expires_at,
        )


@strawberry.type(description="What the holder of a mailed link is invited to.")
class InvitationOffer:
    organization_name: str = strawberry.field(description="The organization's name.")
    organization_handle: str = strawberry.field(description="The organization's handle.")
    role: WorkspaceRole = strawberry.field(description="What they will be there.")
    expires_at: datetime = strawberry.field(description="When the link lapses.")

    @classmethod
    def of(cls, offer: Offered) -> Self:
        """The API's view of an offer."""
        return cls(
            organization_name=offer.name,
            organization_handle=offer.handle,
            role=WorkspaceRole(offer.role),
            expires_at=offer.expires_at,
        )


@strawberry.type
class InvitationQuery:
    @strawberry.field(
        description=(
            "What a mailed invitation leads to, before it is accepted. Null for a link that is good for nothing, and for everyone "
            "but a signed-in person who has verified the address it was mailed to."
        )
    )
    async def invitation_offer(
        self, info: Info, token: Annotated[str, strawberry.argument(description="The `token` of the mailed link.")]
    ) -> InvitationOffer | None:
        offer = await members.offer(info.context, token)
        return InvitationOffer.of(offer) if offer is not None else None
