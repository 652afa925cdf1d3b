"""What other rooms do when somebody comes: told within the unit of work in which it happens."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from app.db.engine import Session


class Milestones(Protocol):
    """Who is told of what happens in the life of an account; an error takes back what happened."""

    async def address_verified(self, session: Session, user_id: UUID, address_key: str, *, is_first: bool) -> None:
        """An address of a user, who has their personal workspace, became verified; `is_first` where none of theirs was before."""
        ...

    async def organization_created(self, session: Session, user_id: UUID, workspace_id: UUID) -> None:
        """A user, who is locked, has made an organization."""
        ...
