"""Seats: how many a workspace has, and whether one more may join.

Whoever belongs to a workspace stays, also when it falls to fewer seats than it has members: then the owners hold a seat first, and
after them who joined first. Who holds one is told by `SEAT_PLACES` in `app.store.memberships`, from the memberships as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.billing.subscriptions.given_plans import is_in_force
from app.billing.subscriptions.pending_changes import PendingChangeKind
from app.billing.subscriptions.workspace_plan import plan_of
from app.catalog import Catalog, PlanKind
from app.db.engine import Session
from app.db.reads import all_in
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.store import memberships as membership_store
from app.store import subscriptions as subscription_store


class SeatsInUse(DomainError):
    """Every seat of this organization is taken. Ask one of its owners to make room, then accept again."""

    code = ErrorCode.SEATS_IN_USE


@dataclass(frozen=True, slots=True)
class Seats:
    """How many seats a workspace has, and how many members; `counted` is how many seats count for who wants to join.

    They are fewer than there are while fewer are decided for later, or a change is in flight.
    """

    total: int
    members: int
    counted: int

    @property
    def used(self) -> int:
        """How many seats are held."""
        return min(self.total, self.members)

    @property
    def available(self) -> int:
        """How many more may join."""
        return max(0, self.counted - self.members)


def seats_counted(
    total: int,
    pending: Mapping[str, Any] | None,
    seats_left: int | None,
    *,
    fallback_seats: int,
    is_contract: bool = False,
) -> int:
    """How many seats count for who wants to join: the fewest of those there are, and of those that will be left.

    `pending` is the pending change as it is kept, `seats_left` what a change in flight leaves, `fallback_seats` what is left once
    the subscription has ended. With fewer seats decided for later nobody is let in who would be without one then. An upgrade that
    awaits its payment does not count until it is paid, and the end of a contract, which is known from its first day, limits nobody.
    """
    counted = total if seats_left is None else min(total, seats_left)
    if pending is None or pending["kind"] == PendingChangeKind.AWAITING_PAYMENT:
        return counted
    choice = pending["choice"]
    if choice is None and is_contract:
        return counted
    return min(counted, choice["seats"] if choice is not None else fallback_seats)


async def seats_now(session: Session, catalog: Catalog, workspace_id: UUID) -> Seats:
    """The seats of a workspace, which the caller has locked."""
    counted = await all_in(session, membership_store.COUNTS, [workspace_id])
    row = await subscription_store.find(session, workspace_id)
    change = await subscription_store.change_in_flight(session, workspace_id)
    fallback_seats = catalog.fallback_plan.seats.included
    in_force = row if is_in_force(row, session.now) else None
    total = in_force.seats if in_force is not None and in_force.seats is not None else fallback_seats
    joinable = seats_counted(
        total,
        in_force.pending if in_force is not None else None,
        change.seats_left if change is not None else None,
        fallback_seats=fallback_seats,
        is_contract=(await plan_of(session, catalog, workspace_id)).kind is PlanKind.ENTERPRISE,
    )
    return Seats(total, counted[0].members if counted else 0, joinable)
