"""Who belongs to a workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select

from app.db.engine import Session
from app.db.reads import KeyedRead, Read
from app.db.tables.workspaces import MembershipRow
from app.store import customers as customer_store
from app.store import subscriptions as subscription_store
from app.store.subscriptions import FALLBACK_SEATS, GIVEN_UNTIL_OF_MEMBERSHIP, SEATS_OF_MEMBERSHIP


class SeenMembership(NamedTuple):
    """That a user belongs to a workspace, and as what."""

    workspace_id: UUID
    user_id: UUID
    role: str
    joined_at: datetime


class MemberCount(NamedTuple):
    """How many members a workspace has."""

    workspace_id: UUID
    members: int


class SeatPlace(NamedTuple):
    """Whether a member holds one of the seats there are, and one of those that are left after `given_until`, if that is set."""

    workspace_id: UUID
    user_id: UUID
    holds: bool
    given_until: datetime | None
    holds_after: bool

    def holds_at(self, now: datetime) -> bool:
        """Whether they hold a seat at a time."""
        return self.holds_after if self.given_until is not None and self.given_until <= now else self.holds


_MEMBERSHIP: Final = "m.workspace_id, m.user_id, m.role, m.joined_at"

COUNTS: Final = KeyedRead[UUID, MemberCount](
    "member_counts",
    "SELECT workspace_id, count(*) AS members FROM memberships WHERE workspace_id = ANY ($1::uuid[]) GROUP BY workspace_id",
    MemberCount,
    lambda counted: counted.workspace_id,
)
"""How many members workspaces have, by workspace."""

MEMBERSHIPS: Final = KeyedRead[tuple[UUID, UUID], SeenMembership](
    "memberships",
    f"SELECT {_MEMBERSHIP} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, user_id)"
    " JOIN memberships m ON m.workspace_id = k.workspace_id AND m.user_id = k.user_id",
    SeenMembership,
    lambda membership: (membership.workspace_id, membership.user_id),
)
"""Memberships by (workspace, user)."""

SEAT_PLACES: Final = KeyedRead[tuple[UUID, UUID], SeatPlace](
    "seat_places",
    "SELECT h.workspace_id, h.user_id, h.place <= coalesce(h.seats, h.place) AS holds, h.given_until,"
    " h.place <= coalesce(h.fallback_seats, h.place) AS holds_after FROM (SELECT m.workspace_id, m.user_id,"
    " row_number() OVER (PARTITION BY m.workspace_id ORDER BY m.role <> 'OWNER', m.joined_at, m.user_id) AS place,"
    f" {SEATS_OF_MEMBERSHIP} AS seats, {GIVEN_UNTIL_OF_MEMBERSHIP} AS given_until, {FALLBACK_SEATS} AS fallback_seats"
    " FROM memberships m WHERE m.workspace_id = ANY ($1::uuid[])) h"
    " JOIN unnest($1::uuid[], $2::uuid[]) k (workspace_id, user_id)"
    " ON h.workspace_id = k.workspace_id AND h.user_id = k.user_id",
    SeatPlace,
    lambda place: (place.workspace_id, place.user_id),
)
"""Which of the members, by (workspace, user), hold a seat: the owners first, then who joined first."""

PAGE: Final = Read(
    "members",
    f"SELECT {_MEMBERSHIP} FROM memberships m WHERE m.workspace_id = $1::uuid"
    " AND ($3::timestamptz IS NULL OR (m.joined_at, m.user_id) < ($3::timestamptz, $4::uuid))"
    " ORDER BY m.joined_at DESC, m.user_id DESC LIMIT $2::bigint",
    SeenMembership,
)
"""The members of a workspace who joined before a (time, id), if one is given, at most so many, the newest first."""


async def find(session: Session, workspace_id: UUID, user_id: UUID) -> MembershipRow | None:
    """The user's membership of the workspace, as it is now."""
    query = select(MembershipRow).where(MembershipRow.workspace_id == workspace_id, MembershipRow.user_id == user_id)
    return await session.scalar(query.execution_options(populate_existing=True))


async def count_role(session: Session, workspace_id: UUID, role: str) -> int:
    """How many of the members have the role."""
    query = select(func.count()).where(MembershipRow.workspace_id == workspace_id, MembershipRow.role == role)
    return await session.scalar(query) or 0


async def set_role(session: Session, membership: MembershipRow, role: str) -> None:
    """Give a member another role."""
    membership.role = role
    await session.flush()
    await customer_store.mark_due(session, [membership.workspace_id])


async def remove(session: Session, workspace_id: UUID, user_id: UUID) -> None:
    """Let the user belong to the workspace no longer."""
    await session.execute(
        delete(MembershipRow)
        .where(MembershipRow.workspace_id == workspace_id, MembershipRow.user_id == user_id)
        .execution_options(synchronize_session=False)
    )
    await customer_store.mark_due(session, [workspace_id])
    await subscription_store.shown_changed(session, [workspace_id])
