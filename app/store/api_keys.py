"""Keys for programs. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update

from app.db.engine import Session
from app.db.tables.workspaces import ApiKeyRow


async def add(session: Session, row: ApiKeyRow) -> None:
    """Add a key."""
    session.add(row)
    await session.flush()


async def by_secret_hash(session: Session, secret_hash: bytes, *, at: datetime) -> ApiKeyRow | None:
    """The key with this secret, unless it was revoked or has expired by `at`."""
    return await session.scalar(select(ApiKeyRow).where(ApiKeyRow.secret_hash == secret_hash, _is_good(at)))


async def ended(session: Session, key_ids: Collection[UUID], *, at: datetime) -> set[UUID]:
    """Those of the keys that are not good at `at`."""
    good = select(ApiKeyRow.id).where(ApiKeyRow.id.in_(key_ids), _is_good(at))
    return set(key_ids) - set(await session.scalars(good))


async def touch(session: Session, key_id: UUID, at: datetime, *, unless_since: datetime) -> None:
    """Note that the key was used, unless that was noted since `unless_since`."""
    noted_long_ago = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < unless_since)
    await session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id, noted_long_ago)
        .values(last_used_at=at)
        .execution_options(synchronize_session=False)
    )


def _is_good(at: datetime) -> ColumnElement[bool]:
    unexpired = or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > at)
    return and_(ApiKeyRow.revoked_at.is_(None), unexpired)
