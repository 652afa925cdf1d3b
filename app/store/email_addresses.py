"""The e-mail addresses of users."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.db.engine import Session
from app.db.tables.people import EmailRow, UserRow
from app.store import customers as customer_store


async def lock_user(session: Session, user_id: UUID) -> UserRow | None:
    """The user, locked until the transaction ends: whoever changes their addresses, password or names waits here."""
    query = select(UserRow).where(UserRow.id == user_id).with_for_update(key_share=True)
    return await session.scalar(query.execution_options(populate_existing=True))


async def find(session: Session, user_id: UUID, email_id: UUID) -> EmailRow | None:
    """One of a user's addresses."""
    query = select(EmailRow).where(EmailRow.id == email_id, EmailRow.user_id == user_id)
    return await session.scalar(query.execution_options(populate_existing=True))


async def primary(session: Session, user_id: UUID) -> EmailRow | None:
    """A user's primary address."""
    return await session.scalar(select(EmailRow).where(EmailRow.user_id == user_id, EmailRow.is_primary))


async def count(session: Session, user_id: UUID) -> int:
    """How many addresses a user has."""
    query = select(func.count()).select_from(EmailRow).where(EmailRow.user_id == user_id)
    return int((await session.execute(query)).scalar_one())


async def add_unverified(
    session: Session, *, email_id: UUID, user_id: UUID, address: str, address_key: str, at: datetime
) -> EmailRow:
    """Add an address to a user's; the one they have already, where it is the same."""
    fresh = insert(EmailRow).values(
        id=email_id,
        user_id=user_id,
        address=address,
        address_key=address_key,
        is_primary=False,
        verified_at=None,
        created_at=at,
    )
    await session.execute(fresh.on_conflict_do_nothing(index_elements=[EmailRow.user_id, EmailRow.address_key]))
    query = select(EmailRow).where(EmailRow.user_id == user_id, EmailRow.address_key == address_key)
    return (await session.scalars(query)).one()


async def verify(session: Session, email_id: UUID, at: datetime) -> bool:
    """Note that its user has proven an address to be theirs, whoever vouched for it before; False when another user has.

    Waits for a transaction that is just proving it.
    """
    verified = (
        update(EmailRow)
        .where(EmailRow.id == email_id)
        .values(verified_at=func.coalesce(EmailRow.verified_at, at), vouched_by=None)
    )
    try:
        async with session.begin_nested():
            await session.execute(verified.execution_options(synchronize_session=False))
    except IntegrityError:
        return False
    return True


async def make_primary(session: Session, user_id: UUID, email_id: UUID) -> None:
    """Make a verified address the primary one, instead of the one before."""
    unprocessed = {"synchronize_session": False}
    before = update(EmailRow).where(EmailRow.user_id == user_id, EmailRow.is_primary, EmailRow.id != email_id)
    await session.execute(before.values(is_primary=False).execution_options(**unprocessed))
    chosen = update(EmailRow).where(EmailRow.user_id == user_id, EmailRow.id == email_id)
    await session.execute(chosen.values(is_primary=True).execution_options(**unprocessed))
    await customer_store.mark_due_of_owner(session, user_id)


async def remove(session: Session, email_id: UUID) -> None:
    """Forget an address, and the links that were mailed to verify it."""
    await session.execute(delete(EmailRow).where(EmailRow.id == email_id))


async def user_of(session: Session, address_key: str) -> Row[UUID, str] | None:
    """The id of the user who has verified this address, and the address as they write it."""
    query = select(EmailRow.user_id, EmailRow.address).where(
        EmailRow.address_key == address_key, EmailRow.verified_at.is_not(None)
    )
    return (await session.execute(query)).one_or_none()
