"""Organizations, their members and invitations: what goes in and what comes out."""

from typing import Annotated

import strawberry

from app.accounts.access.permissions import WorkspaceRole
from app.accounts.workspaces.organizations import NewOrganization, WorkspaceChange
from app.accounts.workspaces.partial_changes import UNCHANGED, OrUnchanged
from resolvers import members, organizations
from resolvers.context import Info
from schema.members import InvitationOffer
from schema.payloads import IdInput
from schema.user_errors import answer
from schema.workspaces import WorkspacePayload


@strawberry.input(description="What a new organization goes by.")
class CreateOrganizationInput:
    name: str = strawberry.field(description="For people: one line, at most 100 characters.")
    handle: str | None = strawberry.field(
        default=None,
        description=(
            "Unique among users and organizations: 3 to 39 letters (A to Z) and digits, in words joined by single hyphens or "
            "underscores. If absent, one is made up from the name."
        ),
    )
    external_id: str | None = strawberry.field(
        default=None,
        description=(
            "The id the host product knows it by: unique, one line, at most 255 characters. Some hosts leave it to their servers."
        ),
    )


@strawberry.input(description="What a workspace is to go by. An absent field stays as it is.")
class UpdateWorkspaceInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="For people: one line, at most 100 characters; never null."
    )
    handle: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="An organization's handle; never null. That of a personal workspace is the User ID: see changeHandle.",
    )
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The id the host product knows it by: unique, one line, at most 255 characters; null clears it. Owners set it where "
            "there is none; service keys with OPERATOR change and clear it."
        ),
    )


@strawberry.input(description="Who is invited where.")
class InviteMemberInput:
    workspace_id: strawberry.ID = strawberry.field(description="An organization whose members the caller manages.")
    email_address: str = strawberry.field(description="Where the link is mailed: ASCII, at most 254 characters.")
    role: WorkspaceRole | None = strawberry.field(
        default=WorkspaceRole.MEMBER, description="What they will be there; at most what the caller is."
    )


@strawberry.input(description="What the link of an invitation carries.")
class AcceptInvitationInput:
    token: str = strawberry.field(description="The `token` of the mailed link; it works once, within 7 days.")
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters of your choice, kept 90 days: sending the same again answers the present state."
    )


@strawberry.input(description="Which member, and what they are to be.")
class ChangeMemberRoleInput:
    membership_id: strawberry.ID = strawberry.field(description="The membership.")
    role: WorkspaceRole = strawberry.field(description="The new role; at most what the caller is.")


@strawberry.type
class OrganizationQuery:
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


@strawberry.type
class OrganizationMutation:
    @strawberry.mutation(
        description=(
            "Makes an organization that the caller owns; 20 a day at most. HANDLE_TAKEN where another has its handle; CONFLICT "
            "where another workspace has the externalId, and while the caller's account is being deleted."
        )
    )
    async def create_organization(
        self, info: Info, input: Annotated[CreateOrganizationInput, strawberry.argument(description="What it goes by.")]
    ) -> WorkspacePayload:
        form = NewOrganization(input.name, input.handle, input.external_id)
        work = organizations.create_organization(info.context, form)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "Changes what a workspace goes by. Old links and old API calls that use an old handle stop working, with no redirect. "
            "Owners only, but for externalId, which service keys with OPERATOR change. CONFLICT where another workspace has the "
            "externalId."
        )
    )
    async def update_workspace(
        self, info: Info, input: Annotated[UpdateWorkspaceInput, strawberry.argument(description="What it goes by.")]
    ) -> WorkspacePayload:
        change = WorkspaceChange(_given(input.name), _given(input.handle), _given(input.external_id))
        work = organizations.update_workspace(info.context, input.workspace_id, change)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "Mails a link to an address; it works once, within 7 days, for an account that has verified the address. Inviting an "
            "address again replaces the former link. Answers alike whether or not the address has an account or is a member's. "
            "INVALID_INPUT for a personal workspace. For those with MANAGE_MEMBERS; rate-limited per workspace, inviter, network "
            "address and invited address."
        )
    )
    async def invite_member(
        self, info: Info, input: Annotated[InviteMemberInput, strawberry.argument(description="Who and where.")]
    ) -> WorkspacePayload:
        role = input.role or WorkspaceRole.MEMBER
        work = members.invite_member(info.context, input.workspace_id, input.email_address, role)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(description="Lets an invitation's link lead nowhere. For those with MANAGE_MEMBERS.")
    async def revoke_invitation(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The invitation.")]
    ) -> WorkspacePayload:
        work = members.revoke_invitation(info.context, input.id)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "Joins an organization by a mailed link. EMAIL_UNVERIFIED until the caller has verified the address it was mailed to; "
            "SEATS_IN_USE while no seat is free; TOKEN_EXPIRED for a link that is used, revoked, unknown or older than 7 days, or "
            "whose sender may no longer invite; CONFLICT while the organization or the caller's account is being deleted. Who is a "
            "member already stays what they are."
        )
    )
    async def accept_invitation(
        self, info: Info, input: Annotated[AcceptInvitationInput, strawberry.argument(description="The link's token.")]
    ) -> WorkspacePayload:
        work = members.accept_invitation(info.context, input.token, input.idempotency_key)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "Gives a member another role. Admins manage admins and members; only owners give or take the role of an owner, and one "
            "always remains: LAST_OWNER."
        )
    )
    async def change_member_role(
        self, info: Info, input: Annotated[ChangeMemberRoleInput, strawberry.argument(description="Who, and what.")]
    ) -> WorkspacePayload:
        work = members.change_member_role(info.context, input.membership_id, input.role)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "Removes a member; their live updates end within a minute. Removing one's own membership is leaving, which everyone "
            "may but the last owner (LAST_OWNER): then workspace is null."
        )
    )
    async def remove_member(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The membership.")]
    ) -> WorkspacePayload:
        work = members.remove_member(info.context, input.id)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)


def _given(value: str | None) -> OrUnchanged[str | None]:
    """The value of an input field, or `UNCHANGED` for an absent one."""
    return UNCHANGED if value is strawberry.UNSET else value
