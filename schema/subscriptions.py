"""Subscriptions: the plan that a workspace is on, and its seats."""

from typing import Self
from uuid import UUID

import strawberry

from app.billing.subscriptions import seats
from app.ids import GlobalId
from resolvers import subscriptions
from resolvers.context import Info
from schema.catalog import Plan
from schema.node_interface import Node


@strawberry.type(description="The seats of a workspace. Each member holds one, and accepting an invitation takes one.")
class Seats:
    total: int = strawberry.field(description="How many there are.")
    used: int = strawberry.field(description="How many the members hold.")
    available: int = strawberry.field(description="How many more people can join; never below zero.")

    @classmethod
    def of(cls, held: seats.Seats) -> Self:
        """The API's view of a workspace's seats."""
        return cls(total=held.total, used=held.used, available=held.available)


@strawberry.type(description="What a workspace is on, for all who belong to it.")
class Subscription(Node):
    workspace_id: strawberry.Private[UUID]

    @strawberry.field(description="The plan it is on.")
    def plan(self, info: Info) -> Plan:
        return Plan.of(subscriptions.terms(info.context, self.workspace_id), info.context.runtime.catalog)

    @strawberry.field(description="The seats it has.")
    async def seats(self, info: Info) -> Seats:
        return Seats.of(await subscriptions.seats(info.context, self.workspace_id))

    @classmethod
    def of(cls, workspace_id: UUID) -> Self:
        """The API's view of the subscription of a workspace that the caller may see."""
        return cls(workspace_id=workspace_id, id=strawberry.ID(str(GlobalId("Subscription", workspace_id))))
