"""The verified phone of a workspace."""

from datetime import datetime
from typing import Self

import strawberry

from app.accounts.workspaces.phone_numbers import masked
from app.store.phones import VerifiedPhone


@strawberry.type(description="A number verified for a workspace. Only the last digits are ever shown.")
class PhoneNumber:
    masked: str = strawberry.field(description="The number with all but its last digits hidden.")
    verified_at: datetime = strawberry.field(description="When it was verified.")

    @classmethod
    def of(cls, phone: VerifiedPhone) -> Self:
        """The API's view of a verified number."""
        return cls(masked=masked(phone.last_digits), verified_at=phone.verified_at)
