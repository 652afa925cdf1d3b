"""Users as an identity provider knows them, and the identities whose accounts were deleted. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from app.db.engine import Session
from app.db.tables.people import EmailRow, ErasedIdentityRow, IdentityRow, UserRow


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """Whose an identity is; `provable_email_id` is an address of theirs that can be verified now, if one was asked for."""

    user_id: UUID
    provable_email_id: UUID | None


async def find(session: Session, issuer: str, subject: str, *, proven_key: str | None) -> KnownIdentity | None:
    """Whose an identity is, if it is known, in one statement.

    With `proven_key`, the key of an address that the issuer calls verified, also whether the user has that address unverified while
    nobody else has verified it.
    """
    theirs, others = aliased(EmailRow), aliased(EmailRow)
    taken = exists().where(others.address_key == theirs.address_key, others.verified_at.is_not(None))
    provable = (
        select(theirs.id)
        .where(theirs.user_id == IdentityRow.user_id, theirs.address_key == proven_key, theirs.verified_at.is_(None))
        .where(~taken)
        .scalar_subquery()
    )
    query = select(IdentityRow.user_id, provable).where(IdentityRow.issuer == issuer, IdentityRow.subject == subject)
    row = (await session.execute(query)).one_or_none()
    return KnownIdentity(row[0], row[1]) if row is not None else None


async def lock(session: Session, hashes: Collection[bytes]) -> None:
    """Let nobody else sign in for the first time with, or forget, the identities with these hashes until the transaction ends."""
    for key in sorted(int.from_bytes(each[:8], signed=True) for each in hashes):
        await session.execute(select(func.pg_advisory_xact_lock(key)))


async def add(session: Session, row: IdentityRow) -> None:
    """Add an identity of a user."""
    session.add(row)
    await session.flush()


async def of_user(session: Session, user_id: UUID) -> Sequence[IdentityRow]:
    """A user's identities."""
    return (await session.scalars(select(IdentityRow).where(IdentityRow.user_id == user_id))).all()


async def lock_user_with_address(session: Session, address_key: str) -> UUID | None:
    """The user who has verified this address; neither can be deleted until the transaction ends."""
    query = (
        select(UserRow.id)
        .join(EmailRow, EmailRow.user_id == UserRow.id)
        .where(EmailRow.address_key == address_key, EmailRow.verified_at.is_not(None))
        .with_for_update(read=True, key_share=True, of=(UserRow, EmailRow))
    )
    return await session.scalar(query)


async def erased_at(session: Session, identity_hash: bytes, *, at: datetime) -> datetime | None:
    """When the account of an identity was deleted, where that is still remembered at `at`."""
    query = select(ErasedIdentityRow.erased_at).where(
        ErasedIdentityRow.identity_hash == identity_hash, ErasedIdentityRow.expires_at > at
    )
    return await session.scalar(query)


async def remember_erased(
    session: Session, hashes: Collection[bytes], *, erased_at: datetime, expires_at: datetime
) -> None:
    """Remember that the accounts of these identities were deleted."""
    if not hashes:
        return
    fresh = insert(ErasedIdentityRow).values(
        [{"identity_hash": each, "erased_at": erased_at, "expires_at": expires_at} for each in hashes]
    )
    replacing = {column: fresh.excluded[column] for column in ("erased_at", "expires_at")}
    await session.execute(fresh.on_conflict_do_update(index_elements=[ErasedIdentityRow.identity_hash], set_=replacing))


async def prove_email(session: Session, email_id: UUID, at: datetime) -> None:
    """Note that an address is proven to be its user's, and make it the primary one where there is none.

    Changes nothing when it was proven meanwhile, by whomever; waits for a transaction that is just proving it.
    """
    primary = aliased(EmailRow)
    has_primary = exists().where(primary.user_id == EmailRow.user_id, primary.is_primary)
    proven = (
        update(EmailRow)
        .where(EmailRow.id == email_id, EmailRow.verified_at.is_(None))
        .values(verified_at=at, is_primary=~has_primary)
        .execution_options(synchronize_session=False)
    )
    try:
        async with session.begin_nested():
            await session.execute(proven)
    except IntegrityError:
        return
