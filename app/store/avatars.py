"""Which avatar a user shows, and the images in the storage that no user shows, or not yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, update

from app.db.engine import Session
from app.db.tables.people import AvatarLeftoverRow, UserRow


class Shown(NamedTuple):
    """The avatar of a user who is there; None for none."""

    digest: str | None


async def lock_shown(session: Session, user_id: UUID) -> Shown | None:
    """The user's avatar, locked until the unit ends; None when there is no such user."""
    row = (
        await session.execute(select(UserRow.avatar_digest).where(UserRow.id == user_id).with_for_update())
    ).one_or_none()
    return Shown(row.avatar_digest) if row is not None else None


async def set_shown(session: Session, user_id: UUID, digest: str | None) -> None:
    """Have the user show this avatar, or none."""
    await session.execute(
        update(UserRow)
        .where(UserRow.id == user_id)
        .values(avatar_digest=digest)
        .execution_options(synchronize_session=False)
    )


async def add_leftover(session: Session, digest: str, *, due_at: datetime) -> None:
    """Have the images of an avatar erased at a time."""
    session.add(AvatarLeftoverRow(digest=digest, due_at=due_at, tries=0))
    await session.flush()


async def take_leftover(session: Session, digest: str) -> bool:
    """Keep the images after all; False when their erasing has begun or is done."""
    taken = delete(AvatarLeftoverRow).where(AvatarLeftoverRow.digest == digest, AvatarLeftoverRow.tries == 0)
    return (await session.execute(taken.returning(AvatarLeftoverRow.digest))).one_or_none() is not None


async def due(session: Session, *, limit: int) -> Sequence[str]:
    """Whose images are to be erased by now, the longest due first."""
    found = select(AvatarLeftoverRow.digest).where(AvatarLeftoverRow.due_at <= session.now)
    return (await session.scalars(found.order_by(AvatarLeftoverRow.due_at).limit(limit))).all()


async def next_due_at(session: Session) -> datetime | None:
    """When the next images are to be erased; None when there are none."""
    return await session.scalar(select(func.min(AvatarLeftoverRow.due_at)))


async def lock_due(session: Session, digest: str) -> int | None:
    """How often erasing was tried, locked until the unit ends; None when it is not due, or somebody else is just at it."""
    found = select(AvatarLeftoverRow.tries).where(
        AvatarLeftoverRow.digest == digest, AvatarLeftoverRow.due_at <= session.now
    )
    return await session.scalar(found.with_for_update(skip_locked=True))


async def count_try(session: Session, digest: str, *, again_at: datetime) -> None:
    """Count a try to erase, which is made again at a time unless it succeeds."""
    await session.execute(
        update(AvatarLeftoverRow)
        .where(AvatarLeftoverRow.digest == digest)
        .values(tries=AvatarLeftoverRow.tries + 1, due_at=again_at)
        .execution_options(synchronize_session=False)
    )


async def drop_leftover(session: Session, digest: str) -> None:
    """Nothing is left of the images."""
    await session.execute(delete(AvatarLeftoverRow).where(AvatarLeftoverRow.digest == digest))
