"""Making and revoking the keys of a workspace."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from app.accounts.access.api_keys import MOST_KEYS, MOST_NAME_CHARACTERS
from app.accounts.access.permissions import ApiScope
from app.wording import count
from resolvers import api_key_mutations
from resolvers.context import Info
from schema.api_keys import ApiKey
from schema.payloads import IdInput
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors
from schema.workspaces import WorkspacePayload


@strawberry.input(description="What the key is for, and what it may do.")
class CreateApiKeyInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace it will reach, and no other.")
    name: str = strawberry.field(
        description=(
            f"What it is for: one line of at most {count(MOST_NAME_CHARACTERS, 'character')}. Where the key did something, the "
            "audit log tells it as "
            "api-key:NAME."
        )
    )
    scopes: list[ApiScope] = strawberry.field(
        description="BILLING_READ, BILLING_WRITE or both; the other scopes are for service keys."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it ends by itself, in real time; never if absent."
    )


@strawberry.type(description="The key, and its secret, which is shown this once.")
class ApiKeyPayload:
    api_key: ApiKey | None = strawberry.field(default=None, description="The key; null where userErrors is not empty.")
    secret: str | None = strawberry.field(
        default=None,
        description=(
            "Send it as `Authorization: Bearer …`. It is shown this once and can't be read again. Null where userErrors is not "
            "empty."
        ),
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, made: api_key_mutations.NewKey) -> Self:
        """The payload of success."""
        return cls(api_key=ApiKey.of(made.row), secret=made.secret)


@strawberry.type
class ApiKeyMutation:
    @strawberry.mutation(
        description=(
            f"Makes a key for programs of the workspace, of which it has {MOST_KEYS} at most, expired ones included. "
            "Rate-limited per "
            "workspace. Owners only, in person: a key makes no keys."
        )
    )
    async def create_api_key(
        self, info: Info, input: Annotated[CreateApiKeyInput, strawberry.argument(description="What for.")]
    ) -> ApiKeyPayload:
        work = api_key_mutations.create_key(
            info.context, input.workspace_id, input.name, input.scopes, input.expires_at
        )
        return await answer(ApiKeyPayload, ApiKeyPayload.of, work)

    @strawberry.mutation(
        description=(
            "Ends a key at once, and its live updates within a minute. Revoking it again changes nothing and answers alike. "
            "Owners only, in person."
        )
    )
    async def revoke_api_key(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The key.")]
    ) -> WorkspacePayload:
        return await answer(WorkspacePayload, WorkspacePayload.of, api_key_mutations.revoke_key(info.context, input.id))
