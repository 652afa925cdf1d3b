"""Inviting, accepting, changing and removing members."""

from typing import Annotated

import strawberry

from app.accounts.access.permissions import WorkspaceRole
from app.accounts.workspaces import invitations
from app.wording import duration
from resolvers import member_mutations
from resolvers.context import Info
from schema.input_texts import EMAIL_FORM, idempotency_key
from schema.payloads import IdInput
from schema.user_errors import answer
from schema.workspaces import WorkspacePayload


@strawberry.input(description="Who is invited where.")
class InviteMemberInput:
    workspace_id: strawberry.ID = strawberry.field(description="An organization whose members the caller manages.")
    email_address: str = strawberry.field(description=f"Where the link is mailed: {EMAIL_FORM}.")
    role: WorkspaceRole | None = strawberry.field(
        default=WorkspaceRole.MEMBER, description="What they will be there; at most what the caller is."
    )


@strawberry.input(description="What the link of an invitation carries.")
class AcceptInvitationInput:
    token: str = strawberry.field(
        description=f"The `token` of the mailed link; it works once, within {duration(invitations.LIFETIME)}."
    )
    idempotency_key: str = strawberry.field(description=idempotency_key("answers the present state"))


@strawberry.input(description="Which member, and what they are to be.")
class ChangeMemberRoleInput:
    membership_id: strawberry.ID = strawberry.field(description="The membership.")
    role: WorkspaceRole = strawberry.field(description="The new role; at most what the caller is.")


@strawberry.type
class MemberMutation:
    @strawberry.mutation(
        description=(
            f"Mails a link to an address; it works once, within {duration(invitations.LIFETIME)}, for an account that has "
            "verified the address. Inviting an "
            "address again replaces the former link. Answers alike whether or not the address has an account or is a member's. "
            "INVALID_INPUT for a personal workspace. For those with MANAGE_MEMBERS; rate-limited per workspace, inviter, network "
            "address and invited address."
        )
    )
    async def invite_member(
        self, info: Info, input: Annotated[InviteMemberInput, strawberry.argument(description="Who and where.")]
    ) -> WorkspacePayload:
        role = input.role or WorkspaceRole.MEMBER
        work = member_mutations.invite_member(info.context, input.workspace_id, input.email_address, role)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(description="Lets an invitation's link lead nowhere. For those with MANAGE_MEMBERS.")
    async def revoke_invitation(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The invitation.")]
    ) -> WorkspacePayload:
        work = member_mutations.revoke_invitation(info.context, input.id)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "Joins an organization by a mailed link. EMAIL_UNVERIFIED until the caller has verified the address it was mailed to; "
            "SEATS_IN_USE while no seat is free, unless the catalog lets accepted invitations buy theirs: then PAYMENT_PENDING "
            "while it is not paid for, and the caller joins by themselves as soon as it is; where it could not be paid for, the "
            "link can be followed again with another key, and the same key asks only how it stands. TOKEN_EXPIRED for a link that "
            f"is used, revoked, unknown or older than {duration(invitations.LIFETIME)}, or whose sender may no longer invite; "
            "CONFLICT while the organization or the caller's account is being deleted. Who is a member already stays what they "
            "are."
        )
    )
    async def accept_invitation(
        self, info: Info, input: Annotated[AcceptInvitationInput, strawberry.argument(description="The link's token.")]
    ) -> WorkspacePayload:
        work = member_mutations.accept_invitation(info.context, input.token, input.idempotency_key)
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
        work = member_mutations.change_member_role(info.context, input.membership_id, input.role)
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
        work = member_mutations.remove_member(info.context, input.id)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)
