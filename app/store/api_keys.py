"""Keys for programs. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update

from app.db.engine import Session
from app.db.tables.access import ApiKeyRow


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


async def lock_if_good(session: Session, key_id: UUID, *, at: datetime) -> bool:
    """Whether the key is good at `at`; if so it is locked, and can't be revoked before the transaction ends."""
    held = select(ApiKeyRow.id).where(ApiKeyRow.id == key_id, _is_good(at)).with_for_update(read=True)
    return await session.scalar(held) is not None


async def touch(session: Session, key_id: UUID, at: datetime, *, unless_since: datetime) -> None:
    """Note that the key was used, unless that was noted since `unless_since`."""
    noted_long_ago = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < unless_since)
    await session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id, noted_long_ago)
        .values(last_used_at=at)
        .execution_options(synchronize_session=False)
    )


async def of_workspace(session: Session, workspace_id: UUID) -> Sequence[ApiKeyRow]:
    """The workspace's keys that were not revoked, expired ones too, the newest first."""
    query = select(ApiKeyRow).where(ApiKeyRow.workspace_id == workspace_id, ApiKeyRow.revoked_at.is_(None))
    return (await session.scalars(query.order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id.desc()))).all()


async def service_keys(session: Session) -> Sequence[ApiKeyRow]:
    """The host product's keys that were not revoked, expired ones too, the newest first."""
    query = select(ApiKeyRow).where(ApiKeyRow.workspace_id.is_(None), ApiKeyRow.revoked_at.is_(None))
    return (await session.scalars(query.order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id.desc()))).all()


async def lock(session: Session, key_id: UUID) -> ApiKeyRow | None:
    """The key, revoked or not, locked until the transaction ends."""
    return await session.scalar(select(ApiKeyRow).where(ApiKeyRow.id == key_id).with_for_update())


async def ids_with_prefix(session: Session, prefix: str) -> Sequence[UUID]:
    """The keys that are shown with this prefix, revoked ones too."""
    return (await session.scalars(select(ApiKeyRow.id).where(ApiKeyRow.prefix == prefix))).all()


def _is_good(at: datetime) -> ColumnElement[bool]:
    unexpired = or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > at)
    return and_(ApiKeyRow.revoked_at.is_(None), unexpired)
