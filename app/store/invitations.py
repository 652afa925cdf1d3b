"""Invitations to workspaces. Whoever changes one has locked its workspace; times are the product's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Row, delete, func, select

from app.db.engine import Session
from app.db.reads import Read
from app.db.tables.people import EmailRow
from app.db.tables.workspaces import InvitationRow


class OpenInvitation(NamedTuple):
    """An invitation that can be accepted."""

    workspace_id: UUID
    id: UUID
    address: str | None
    role: str
    expires_at: datetime


class Offered(NamedTuple):
    """What a token leads to, and what somebody who holds it has to do with it."""

    name: str
    handle: str
    role: str
    expires_at: datetime
    accepted_by: UUID | None
    is_member: bool
    has_address: bool


OPEN: Final = Read(
    "invitations",
    "SELECT i.workspace_id, i.id, i.address, i.role, i.expires_at FROM invitations i WHERE i.workspace_id = $1::uuid"
    " AND i.accepted_by IS NULL AND i.expires_at > $2::timestamptz ORDER BY i.created_at DESC, i.id DESC",
    OpenInvitation,
)
"""A workspace's invitations that are neither accepted nor lapsed at a time, the newest first."""

OFFERS: Final = Read(
    "invitation_offer",
    "SELECT w.name, w.handle, i.role, i.expires_at, i.accepted_by,"
    " EXISTS (SELECT FROM memberships m WHERE m.workspace_id = i.workspace_id AND m.user_id = $2::uuid) AS is_member,"
    " EXISTS (SELECT FROM emails e WHERE e.user_id = $2::uuid AND e.address_key = i.address_key"
    " AND e.verified_at IS NOT NULL) AS has_address"
    " FROM invitations i JOIN workspaces w ON w.id = i.workspace_id WHERE i.token_hash = $1::bytea",
    Offered,
)
"""What the token with this hash leads to, for a user: used or not, lapsed or not."""


async def add(session: Session, row: InvitationRow) -> None:
    """Add an invitation; the open one to the same address was removed before."""
    session.add(row)
    await session.flush()


async def by_token_hash(session: Session, token_hash: bytes, *, lock: bool = False) -> InvitationRow | None:
    """The invitation with this token, used or not; with `lock` nobody else changes it until the transaction ends."""
    query = select(InvitationRow).where(InvitationRow.token_hash == token_hash)
    if lock:
        query = query.with_for_update()
    return await session.scalar(query.execution_options(populate_existing=True))


async def get(session: Session, workspace_id: UUID, invitation_id: UUID) -> InvitationRow | None:
    """The invitation, used or not, lapsed or not."""
    return await session.get(InvitationRow, (workspace_id, invitation_id), populate_existing=True)


async def open_one(session: Session, workspace_id: UUID, invitation_id: UUID, *, at: datetime) -> InvitationRow | None:
    """The invitation, unless it was accepted or has lapsed by `at`."""
    query = select(InvitationRow).where(
        InvitationRow.workspace_id == workspace_id,
        InvitationRow.id == invitation_id,
        InvitationRow.accepted_by.is_(None),
        InvitationRow.expires_at > at,
    )
    return await session.scalar(query)


async def count_open(session: Session, workspace_id: UUID, *, at: datetime) -> int:
    """How many of the workspace's invitations are neither accepted nor lapsed at `at`."""
    query = (
        select(func.count())
        .select_from(InvitationRow)
        .where(
            InvitationRow.workspace_id == workspace_id,
            InvitationRow.accepted_by.is_(None),
            InvitationRow.expires_at > at,
        )
    )
    return await session.scalar(query) or 0


async def open_to(session: Session, workspace_id: UUID, address_key: str) -> InvitationRow | None:
    """The invitation to this address that was not accepted, be it lapsed: there is one at most."""
    query = select(InvitationRow).where(
        InvitationRow.workspace_id == workspace_id,
        InvitationRow.address_key == address_key,
        InvitationRow.accepted_by.is_(None),
    )
    return await session.scalar(query)


async def remove(session: Session, workspace_id: UUID, invitation_id: UUID) -> None:
    """Forget an invitation, so that its link leads nowhere."""
    await session.execute(
        delete(InvitationRow)
        .where(InvitationRow.workspace_id == workspace_id, InvitationRow.id == invitation_id)
        .execution_options(synchronize_session=False)
    )


async def remove_sent_by(
    session: Session, workspace_id: UUID, user_id: UUID, roles: Collection[str]
) -> Sequence[Row[UUID, str]]:
    """Forget the open invitations that the user sent, to these roles; the id and role of each."""
    removed = await session.execute(
        delete(InvitationRow)
        .where(
            InvitationRow.workspace_id == workspace_id,
            InvitationRow.invited_by == user_id,
            InvitationRow.role.in_(roles),
            InvitationRow.accepted_by.is_(None),
        )
        .returning(InvitationRow.id, InvitationRow.role)
        .execution_options(synchronize_session=False)
    )
    return removed.all()


async def open_to_user(session: Session, workspace_id: UUID, user_id: UUID) -> Sequence[InvitationRow]:
    """The invitations not accepted that went to an address which the user has, verified or not."""
    theirs = select(EmailRow.address_key).where(EmailRow.user_id == user_id)
    query = select(InvitationRow).where(
        InvitationRow.workspace_id == workspace_id,
        InvitationRow.accepted_by.is_(None),
        InvitationRow.address_key.in_(theirs),
    )
    return (await session.scalars(query)).all()


async def accepted_with(session: Session, user_id: UUID, idempotency_key: str) -> InvitationRow | None:
    """The invitation that the user accepted with this idempotency key."""
    query = select(InvitationRow).where(
        InvitationRow.accepted_by == user_id, InvitationRow.idempotency_key == idempotency_key
    )
    return await session.scalar(query)


async def email_of(session: Session, user_id: UUID, address_key: str, *, lock: bool) -> EmailRow | None:
    """The user's address with this key, verified or not; with `lock` it is not taken away before the transaction ends."""
    query = select(EmailRow).where(EmailRow.user_id == user_id, EmailRow.address_key == address_key)
    return await session.scalar(query.with_for_update(read=True) if lock else query)
