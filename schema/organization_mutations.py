"""Organizations, and what workspaces go by."""

from typing import Annotated

import strawberry

from app.accounts.workspaces.organizations import (
    MOST_EXTERNAL_ID_CHARACTERS,
    MOST_NAME_CHARACTERS,
    PER_USER_A_DAY,
    NewOrganization,
    WorkspaceChange,
)
from app.accounts.workspaces.partial_changes import UNCHANGED, OrUnchanged
from app.wording import count
from resolvers import organization_mutations
from resolvers.context import Info
from schema.input_texts import HANDLE_FORM
from schema.user_errors import answer
from schema.workspaces import WorkspacePayload

_NAME = f"at most {count(MOST_NAME_CHARACTERS, 'character')}"
_EXTERNAL_ID = f"at most {count(MOST_EXTERNAL_ID_CHARACTERS, 'character')}"


@strawberry.input(description="What a new organization goes by.")
class CreateOrganizationInput:
    name: str = strawberry.field(description=f"For people: one line, {_NAME}.")
    handle: str | None = strawberry.field(
        default=None,
        description=(f"Unique among users and organizations: {HANDLE_FORM}. If absent, one is made up from the name."),
    )
    external_id: str | None = strawberry.field(
        default=None,
        description=(
            f"The id the host product knows it by: unique, one line, {_EXTERNAL_ID}. Some hosts leave it to their servers."
        ),
    )


@strawberry.input(description="What a workspace is to go by. An absent field stays as it is.")
class UpdateWorkspaceInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description=f"For people: one line, {_NAME}; never null."
    )
    handle: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="An organization's handle; never null. That of a personal workspace is the User ID: see changeHandle.",
    )
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            f"The id the host product knows it by: unique, one line, {_EXTERNAL_ID}; null clears it. Owners set it where "
            "there is none; service keys with OPERATOR change and clear it."
        ),
    )


@strawberry.type
class OrganizationMutation:
    @strawberry.mutation(
        description=(
            f"Makes an organization that the caller owns; {PER_USER_A_DAY.most} a day at most. HANDLE_TAKEN where another has "
            "its handle; CONFLICT "
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


def _given(value: str | None) -> OrUnchanged[str | None]:
    """The value of an input field, or `UNCHANGED` for an absent one."""
    return UNCHANGED if value is strawberry.UNSET else value
