"""What mutations of every kind share: an id that goes in, and an acknowledgement that comes out."""

from typing import Self

import strawberry

from schema.user_errors import USER_ERRORS, UserError, no_errors


@strawberry.input(description="Names one object.")
class IdInput:
    id: strawberry.ID = strawberry.field(description="The id it was read with.")


@strawberry.type(description="Says that the request was taken, and nothing more.")
class AcknowledgedPayload:
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, _done: None) -> Self:
        """The payload of success."""
        return cls()
