"""Keys for programs. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update

from app.db.engine import Session
from app.db.reads import KeyedRead, Read
from app.db.tables.access import ApiKeyRow


class PresentedKey(NamedTuple):
    """A key that a request came with."""

    id: UUID
    workspace_id: UUID | None
    name: str
    scopes: list[str]
    last_used_at: datetime | None


PRESENTED: Final = Read(
    "api_key",
    "SELECT id, workspace_id, name, scopes, last_used_at FROM api_keys WHERE secret_hash = $1::bytea"
    " AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2::timestamptz)",
    PresentedKey,
)
"""The key with this secret, unless it was revoked or has expired by a time."""


class WorkspaceKey(NamedTuple):
    """A workspace's own key; see `ApiKeyRow`."""

    id: UUID
    workspace_id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_by: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


OF_WORKSPACES: Final = KeyedRead[UUID, WorkspaceKey](
    "keys_of_workspaces",
    "SELECT id, workspace_id, name, prefix, scopes, created_by, created_at, last_used_at, expires_at FROM api_keys"
    " WHERE workspace_id = ANY ($1::uuid[]) AND revoked_at IS NULL ORDER BY created_at DESC, id DESC",
    WorkspaceKey,
    lambda key: key.workspace_id,
)
"""The keys of workspaces that were not revoked, expired ones too, the newest first."""


async def add(session: Session, row: ApiKeyRow) -> None:
    """Add a key."""
    session.add(row)
    await session.flush()


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
