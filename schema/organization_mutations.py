"""Organizations, and what workspaces go by."""

from typing import Annotated

import strawberry

from app.accounts.workspaces.organizations import NewOrganization, WorkspaceChange
from app.accounts.workspaces.partial_changes import KEPT, Change
from resolvers import organization_mutations
from resolvers.context import Info
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
        work = organization_mutations.create_organization(info.context, form)
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
        work = organization_mutations.update_workspace(info.context, input.workspace_id, change)
        return await answer(WorkspacePayload, WorkspacePayload.of, work)


def _given(value: str | None) -> Change[str | None]:
    """The value of an input field, or `KEPT` for an absent one."""
    return KEPT if value is strawberry.UNSET else value
