"""The keys of a workspace, for those with MANAGE_KEYS."""

from datetime import datetime
from typing import Self

import strawberry

from app.accounts.access.permissions import ApiScope
from app.db.tables.access import ApiKeyRow
from app.ids import GlobalId
from app.store.api_keys import WorkspaceKey
from resolvers import api_keys
from resolvers.context import Info
from schema.enums import described
from schema.node_interface import Node

described(
    ApiScope,
    "What a key may be used for. A workspace's own keys have BILLING_READ and BILLING_WRITE at most.",
    {
        ApiScope.BILLING_READ: "See credits, cards, invoices and what is spent, as an owner does.",
        ApiScope.BILLING_WRITE: "Change what is billed as an owner would: buy, pay, add and remove cards; reading included.",
        ApiScope.USAGE_WRITE: "Reserved for reporting usage; allows nothing yet. Service keys only.",
        ApiScope.CREDITS_WRITE: "Spend and hold credits: service keys only.",
        ApiScope.OPERATOR: "Give credits, see what is billed and who belongs to a workspace, set external ids: service keys only.",
    },
)


@strawberry.type(
    description="A key for programs. Its secret is shown once, when it is made, and only a hash of it is kept."
)
class ApiKey(Node):
    row: strawberry.Private[ApiKeyRow | WorkspaceKey]
    name: str = strawberry.field(description="What it is for, in its maker's words.")
    prefix: str = strawberry.field(description="What its secret begins with, to tell it by.")
    scopes: list[ApiScope] = strawberry.field(description="What it may be used for.")
    created_at: datetime = strawberry.field(description="When it was made.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was last used, to the minute; null for never."
    )
    expires_at: datetime | None = strawberry.field(description="When it ends by itself; null for never.")

    @strawberry.field(
        description="Who made it: a person's handle as it is now; null where their account is gone or it was not noted."
    )
    async def created_by(self, info: Info) -> str | None:
        return await api_keys.created_by(info.context, self.row)

    @classmethod
    def of(cls, row: ApiKeyRow | WorkspaceKey) -> Self:
        """The API's view of a workspace's key."""
        return cls(
            row=row,
            id=strawberry.ID(str(GlobalId("ApiKey", row.id, row.workspace_id))),
            name=row.name,
            prefix=row.prefix,
            scopes=[ApiScope(scope) for scope in row.scopes],
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
        )
