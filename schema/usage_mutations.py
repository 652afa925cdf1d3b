"""Recording usage, for the host product."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

import strawberry

from app.error_codes import ErrorCode
from app.metering import usage_events
from app.metering.usage_events import (
    EVENTS_KEPT,
    FURTHEST_AHEAD,
    MOST_EVENTS,
    MOST_FRACTION_DIGITS,
    MOST_ID_CHARACTERS,
    MOST_WHOLE_DIGITS,
    OLDEST,
    UsageEvent,
)
from app.wording import count, duration, number
from resolvers import usage_mutations
from resolvers.context import Info
from schema.input_texts import SUBJECT
from schema.plain_inputs import plain_input
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors


@plain_input
@strawberry.input(
    description="Something that was used. Exactly one of workspaceId and externalId says in which workspace."
)
class UsageEventInput:
    resource: str = strawberry.field(description="The code of the resource.")
    quantity: Decimal = strawberry.field(
        description=(
            "How much, never negative: added to a counter, or the new level of a gauge, of which the latest occurredAt counts. "
            f"At most {count(MOST_WHOLE_DIGITS, 'digit')} before the point and {MOST_FRACTION_DIGITS} after it."
        )
    )
    event_id: str = strawberry.field(
        description=(
            f"1 to {count(MOST_ID_CHARACTERS, 'character')} of your choice. For {duration(EVENTS_KEPT)} after it came an event "
            "counts once in a workspace, however often it is sent and whatever else is in it then."
        )
    )
    workspace_id: strawberry.ID | None = strawberry.field(default=None, description="The workspace by its id.")
    external_id: str | None = strawberry.field(default=None, description="The workspace by your own id of it.")
    occurred_at: datetime | None = strawberry.field(
        default=None,
        description=(
            f"When it was used, now if absent: at most {duration(OLDEST)} ago and {duration(FURTHEST_AHEAD)} ahead. It counts in "
            "the usage period of that time."
        ),
    )
    subject: str | None = strawberry.field(default=None, description=f"Who or what used it: {SUBJECT}")

    def event(self) -> UsageEvent:
        """The event as it is counted."""
        workspace_id = usage_mutations.event_workspace(self.workspace_id)
        return UsageEvent(
            workspace_id,
            self.external_id,
            self.resource,
            self.quantity,
            self.event_id,
            self.occurred_at,
            self.subject,
        )


@plain_input
@strawberry.input(description="What was used.")
class RecordUsageInput:
    events: list[UsageEventInput] = strawberry.field(description=f"1 to {number(MOST_EVENTS)} events.")


@strawberry.type(description="An event that was not counted.")
class RejectedUsageEvent:
    index: int = strawberry.field(description="Its place among those that were sent, counted from zero.")
    code: ErrorCode = strawberry.field(
        description="UNKNOWN_WORKSPACE, UNKNOWN_RESOURCE, EVENT_TOO_OLD or INVALID_INPUT."
    )
    message: str = strawberry.field(description="What is wrong with it, in English.")

    @classmethod
    def of(cls, rejected: usage_events.RejectedEvent) -> Self:
        """The API's view of an event that was not counted."""
        return cls(index=rejected.index, code=rejected.code, message=rejected.message)


@strawberry.type(description="What became of the events. Those that were rejected may be sent again, corrected.")
class RecordUsagePayload:
    accepted: int = strawberry.field(default=0, description="How many were counted.")
    duplicates: int = strawberry.field(default=0, description="How many had been counted before.")
    rejected: list[RejectedUsageEvent] = strawberry.field(
        default_factory=list[RejectedUsageEvent],
        description="Those that were not counted, in the order of their index.",
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, recorded: usage_events.RecordedUsage) -> Self:
        """The payload of events that were looked at."""
        rejected = [RejectedUsageEvent.of(each) for each in recorded.rejected]
        return cls(accepted=recorded.accepted, duplicates=recorded.duplicates, rejected=rejected)


@strawberry.type
class UsageMutation:
    @strawberry.mutation(
        description=(
            "Counts what was used, each event once, and pays for what goes past the plans with credits. Events that can't be "
            "counted are rejected one by one, and the rest is kept. Send the events as variables: a document with many of them "
            "is too long. Service keys with USAGE_WRITE only."
        )
    )
    async def record_usage(
        self, info: Info, input: Annotated[RecordUsageInput, strawberry.argument(description="What was used.")]
    ) -> RecordUsagePayload:
        return await answer(
            RecordUsagePayload,
            RecordUsagePayload.of,
            usage_mutations.record_usage(info.context, [each.event() for each in input.events]),
        )
