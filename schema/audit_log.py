"""The audit log: who did what, when, and what was before and after."""

from datetime import datetime
from typing import Self

import strawberry

from app.ids import GlobalId
from app.store.audit_log import LoggedEvent
from resolvers import audit_log
from resolvers.context import Info
from resolvers.pagination import Page
from schema.node_interface import Node
from schema.pagination import PageInfo, page_info


@strawberry.type(description="Something that changed billing, membership or security, and who did it.")
class AuditEvent(Node):
    row: strawberry.Private[LoggedEvent]
    at: datetime = strawberry.field(description="When it was done.")
    action: str = strawberry.field(description="What was done, for programs, such as key.created.")
    summary: str = strawberry.field(description="What was done, for people, in English.")

    @strawberry.field(
        description=(
            "Who did it: a person's handle as it is now, api-key:NAME for a key, operator for who runs the service, or system. "
            "Whose account is gone is deleted-user; a key that is gone is deleted-key."
        )
    )
    async def actor(self, info: Info) -> str:
        return await audit_log.actor(info.context, self.row)

    @strawberry.field(
        description=(
            "What changed, as JSON text: an object with before and after, and as subject the handle of the person it was done to. "
            "Null where there is nothing more to say. A key is told by its prefix and scopes. Never a secret."
        )
    )
    async def detail(self, info: Info) -> str | None:
        return await audit_log.detail(info.context, self.row)

    @classmethod
    def of(cls, row: LoggedEvent) -> Self:
        """The API's view of an event."""
        return cls(
            row=row,
            id=strawberry.ID(str(GlobalId("AuditEvent", row.id, row.workspace_id))),
            at=row.at,
            action=row.action,
            summary=row.summary,
        )


@strawberry.type(description="An event in a page of them.")
class AuditEventEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this one.")
    node: AuditEvent = strawberry.field(description="The event.")


@strawberry.type(description="A page of the audit log, newest first.")
class AuditEventConnection:
    edges: list[AuditEventEdge] = strawberry.field(description="The events with their cursors.")
    nodes: list[AuditEvent] = strawberry.field(description="The events alone.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the whole.")

    @classmethod
    def of(cls, page: Page[LoggedEvent]) -> Self:
        """The API's view of a page."""
        nodes = [AuditEvent.of(row) for row in page.rows]
        return cls(
            edges=[AuditEventEdge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)],
            nodes=nodes,
            page_info=page_info(page),
        )
