"""The development inbox and the codes shown in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.development_inbox import InboxMessageRow, SmsCodeRow


async def add(session: Session, row: InboxMessageRow) -> None:
    """Add a message, unless one with its id is there: a job may run twice."""
    values = {column.key: getattr(row, column.key) for column in InboxMessageRow.__table__.columns}
    await session.execute(insert(InboxMessageRow).values(values).on_conflict_do_nothing())


async def newest(session: Session, *, at_most: int) -> Sequence[InboxMessageRow]:
    """The latest messages, newest first."""
    query = select(InboxMessageRow).order_by(InboxMessageRow.sent_at.desc(), InboxMessageRow.id.desc()).limit(at_most)
    return (await session.scalars(query)).all()


async def save_code(session: Session, key: bytes, code_hash: bytes, *, expires_at: datetime) -> None:
    """Keep the hash of a code, instead of the one before."""
    fresh = insert(SmsCodeRow).values(key=key, code_hash=code_hash, expires_at=expires_at)
    replacing = {"code_hash": fresh.excluded.code_hash, "expires_at": fresh.excluded.expires_at}
    await session.execute(fresh.on_conflict_do_update(index_elements=[SmsCodeRow.key], set_=replacing))


async def use_code(session: Session, key: bytes, code_hash: bytes, *, at: datetime) -> bool:
    """Use a code up; False when it is another one, or is no longer good at `at`."""
    used = await session.execute(
        delete(SmsCodeRow)
        .where(SmsCodeRow.key == key, SmsCodeRow.code_hash == code_hash, SmsCodeRow.expires_at > at)
        .returning(SmsCodeRow.key)
    )
    return used.one_or_none() is not None


async def drop_code(session: Session, key: bytes) -> None:
    """Forget the code that is kept, if there is one."""
    await session.execute(delete(SmsCodeRow).where(SmsCodeRow.key == key))
