"""Seats: every member holds one, and a workspace has as many as its plan includes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Catalog
from app.db.engine import Session
from app.db.reads import Reads, all_in
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.store import memberships as membership_store
from app.store.memberships import MemberCount


class SeatsInUse(DomainError):
    """Every seat of this organization is taken. Ask one of its owners to make room, then accept again."""

    code = ErrorCode.SEATS_IN_USE


@dataclass(frozen=True, slots=True)
class Seats:
    """How many seats a workspace has, and how many of them its members hold."""

    total: int
    used: int

    @property
    def available(self) -> int:
        """How many more may join."""
        return max(0, self.total - self.used)


async def seats_of(reads: Reads, catalog: Catalog, workspace_id: UUID) -> Seats:
    """The seats of a workspace."""
    return _seats(catalog, workspace_id, await reads.all_of(membership_store.COUNTS, workspace_id))


async def require_seat(session: Session, catalog: Catalog, workspace_id: UUID) -> None:
    """Raise `SeatsInUse` unless one more may join the workspace, which the caller has locked.

    That holds for catalogs with automatic seats too: seats can't be bought yet.
    """
    counted = await all_in(session, membership_store.COUNTS, [workspace_id])
    if not _seats(catalog, workspace_id, counted).available:
        raise SeatsInUse


def _seats(catalog: Catalog, workspace_id: UUID, counted: Sequence[MemberCount]) -> Seats:
    return Seats(plan_of(catalog, workspace_id).seats.included, counted[0].members if counted else 0)
