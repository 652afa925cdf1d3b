"""Users as an identity provider knows them, and the identities whose accounts were deleted. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from app.db.engine import Session
from app.db.tables.people import EmailRow, ErasedIdentityRow, IdentityRow, UserRow
from app.store import customers as customer_store


@dataclass(frozen=True, slots=True)
class ToldAddress:
    """An address that a token of an issuer calls verified: the key it is compared by, and when the token was issued."""

    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """Whose an identity is, and what becomes of the address that its token tells.

    `is_address_due`: something is to be changed here by what it tells. `is_address_taken`: another account has verified it.
    """

    user_id: UUID
    is_address_due: bool = False
    is_address_taken: bool = False


async def find(
    session: Session, issuer: str, subject: str, *, told: ToldAddress | None, most_addresses: int
) -> KnownIdentity | None:
    """Whose an identity is, if it is known, in one statement, which also looks whether the address that is `told` is news.

    It is not where a token that was issued later has told an address already, nor where the account has two identities of the
    issuer, which may tell different ones.
    """
    query = select(IdentityRow.user_id, *(_news(issuer, told, most_addresses) if told is not None else ()))
    query = query.where(IdentityRow.issuer == issuer, IdentityRow.subject == subject)
    row = (await session.execute(query)).one_or_none()
    return KnownIdentity(*row) if row is not None else None


def _news(issuer: str, told: ToldAddress, most_addresses: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Whether something is to be changed by what is told, and whether another account has verified the address."""
    theirs, same, others, all_of_them = (aliased(EmailRow) for _ in range(4))
    second = aliased(IdentityRow)
    is_older = func.coalesce(IdentityRow.email_told_at > told.at, False)
    has_second = exists().where(
        second.issuer == IdentityRow.issuer,
        second.user_id == IdentityRow.user_id,
        second.subject != IdentityRow.subject,
    )
    has_former = exists().where(
        theirs.user_id == IdentityRow.user_id, theirs.vouched_by == issuer, theirs.address_key != told.key
    )
    is_same = (same.user_id == IdentityRow.user_id) & (same.address_key == told.key)
    is_trusted = exists().where(
        is_same, same.verified_at.is_not(None), func.coalesce(same.vouched_by, issuer) == issuer
    )
    is_taken = exists().where(
        others.address_key == told.key, others.verified_at.is_not(None), others.user_id != IdentityRow.user_id
    )
    held = select(func.count()).where(all_of_them.user_id == IdentityRow.user_id).scalar_subquery()
    has_room = exists().where(is_same) | (held < most_addresses)
    is_due = ~is_older & ~has_second & (has_former | (~is_trusted & ~is_taken & has_room))
    return is_due, is_taken


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
    """The user who has verified this address; nobody else can link an identity to them until the transaction ends."""
    query = (
        select(UserRow.id)
        .join(EmailRow, EmailRow.user_id == UserRow.id)
        .where(EmailRow.address_key == address_key, EmailRow.verified_at.is_not(None))
        .with_for_update(key_share=True, of=(UserRow, EmailRow))
    )
    return await session.scalar(query)


async def has_identity(session: Session, user_id: UUID, issuer: str) -> bool:
    """Whether the issuer knows this user already."""
    query = select(IdentityRow.subject).where(IdentityRow.user_id == user_id, IdentityRow.issuer == issuer).limit(1)
    return await session.scalar(query) is not None


async def erased_at(session: Session, hashes: Collection[bytes], *, at: datetime) -> datetime | None:
    """When the account of an identity was deleted last, where that is still remembered at `at`; `hashes` are all it may have."""
    query = select(func.max(ErasedIdentityRow.erased_at)).where(
        ErasedIdentityRow.identity_hash.in_(hashes), ErasedIdentityRow.expires_at > at
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


async def distrust_others(session: Session, user_id: UUID, issuer: str, *, address_key: str) -> Sequence[UUID]:
    """Stop trusting the user's addresses that are verified by this issuer's word alone, but for the one with this key."""
    distrusted = (
        update(EmailRow)
        .where(EmailRow.user_id == user_id, EmailRow.vouched_by == issuer, EmailRow.address_key != address_key)
        .values(verified_at=None, vouched_by=None, is_primary=False)
        .returning(EmailRow.id)
        .execution_options(synchronize_session=False)
    )
    found = (await session.scalars(distrusted)).all()
    await customer_store.mark_due_of_owner(session, user_id)
    return found


async def vouch(
    session: Session, issuer: str, *, email_id: UUID, user_id: UUID, address: str, address_key: str, at: datetime
) -> UUID | None:
    """Note an address of a user as verified by the issuer's word, unless they have proven it; add it if they don't have it.

    Returns its id; None when another user has verified it. Waits for a transaction that is just verifying it.
    """
    fresh = insert(EmailRow).values(
        id=email_id,
        user_id=user_id,
        address=address,
        address_key=address_key,
        is_primary=False,
        verified_at=at,
        vouched_by=issuer,
        created_at=at,
    )
    is_proven = EmailRow.verified_at.is_not(None) & EmailRow.vouched_by.is_(None)
    vouched = fresh.on_conflict_do_update(
        index_elements=[EmailRow.user_id, EmailRow.address_key],
        set_={
            "verified_at": func.coalesce(EmailRow.verified_at, fresh.excluded.verified_at),
            "vouched_by": case((is_proven, None), else_=fresh.excluded.vouched_by),
        },
    )
    try:
        async with session.begin_nested():
            return await session.scalar(vouched.returning(EmailRow.id))
    except IntegrityError:
        return None


async def note_told(session: Session, issuer: str, subject: str, at: datetime) -> None:
    """Note when the token was issued that told the account's address."""
    noted = update(IdentityRow).where(IdentityRow.issuer == issuer, IdentityRow.subject == subject)
    await session.execute(noted.values(email_told_at=at).execution_options(synchronize_session=False))
