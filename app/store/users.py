"""Users, their e-mail addresses, and the sign-ups that wait for a mailed link."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.people import EmailRow, SignUpRow, UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.store.workspaces import SeenWorkspace


class Person(NamedTuple):
    """A user, and their personal workspace as they see it."""

    id: UUID
    first_name: str | None
    last_name: str | None
    company: str | None
    job_title: str | None
    bio: str | None
    visibility: str
    avatar_digest: str | None
    created_at: datetime
    personal: SeenWorkspace

    @classmethod
    def of(cls, *columns: object) -> Person:
        """A person, made of `PERSON_COLUMNS`."""
        return cls(*columns[:9], SeenWorkspace(*columns[9:]))  # pyright: ignore[reportArgumentType, reportCallIssue]


PERSON_COLUMNS: Final = (
    "u.id, u.first_name, u.last_name, u.company, u.job_title, u.bio, u.visibility, u.avatar_digest, u.created_at,"
    " w.id AS workspace_id, w.kind, w.name, w.handle, w.external_id, m.user_id, m.role,"
    " m.role AS acting_role"
)
PERSON_TABLES: Final = (
    "users u JOIN workspaces w ON w.created_by = u.id AND w.kind = 'PERSONAL'"
    " LEFT JOIN memberships m ON m.workspace_id = w.id AND m.user_id = u.id"
)


class Email(NamedTuple):
    """An address of a user."""

    id: UUID
    user_id: UUID
    address: str
    is_primary: bool
    verified_at: datetime | None
    created_at: datetime


PEOPLE: Final = KeyedRead[UUID, Person](
    "people",
    f"SELECT {PERSON_COLUMNS} FROM {PERSON_TABLES} WHERE u.id = ANY ($1::uuid[])",
    Person.of,
    lambda person: person.id,
)
"""Users with their personal workspaces, by id."""

EMAILS: Final = KeyedRead[UUID, Email](
    "emails",
    "SELECT id, user_id, address, is_primary, verified_at, created_at FROM emails"
    " WHERE user_id = ANY ($1::uuid[]) ORDER BY is_primary DESC, emails.created_at, id",
    Email,
    lambda email: email.user_id,
)
"""The addresses of users, the primary one first, then the oldest."""


async def add(session: Session, user: UserRow) -> None:
    """Add a user."""
    session.add(user)
    await session.flush()


async def with_personal_workspace(session: Session, user_id: UUID) -> Row[UserRow, WorkspaceRow] | None:
    """The rows of a user and their personal workspace, for a unit of work that changes them."""
    personal = (WorkspaceRow.created_by == UserRow.id) & (WorkspaceRow.kind == "PERSONAL")
    query = select(UserRow, WorkspaceRow).join(WorkspaceRow, personal).where(UserRow.id == user_id)
    return (await session.execute(query)).one_or_none()


async def add_first_email(
    session: Session,
    *,
    email_id: UUID,
    user_id: UUID,
    address: str,
    address_key: str,
    is_verified: bool,
    vouched_by: str | None,
    at: datetime,
) -> bool:
    """Add a new user's address, which is primary if it is verified; False when another account has verified it too.

    For a verified one, waits for a transaction that is just verifying the same address.
    """
    fresh = insert(EmailRow).values(
        id=email_id,
        user_id=user_id,
        address=address,
        address_key=address_key,
        is_primary=is_verified,
        verified_at=at if is_verified else None,
        vouched_by=vouched_by,
        created_at=at,
    )
    unless_taken = fresh.on_conflict_do_nothing(
        index_elements=[EmailRow.address_key], index_where=EmailRow.verified_at.is_not(None)
    )
    return (await session.execute(unless_taken.returning(EmailRow.id))).one_or_none() is not None


async def emails_of(session: Session, user_id: UUID) -> Sequence[EmailRow]:
    """A user's addresses, the primary one first, then the oldest."""
    query = (
        select(EmailRow)
        .where(EmailRow.user_id == user_id)
        .order_by(EmailRow.is_primary.desc(), EmailRow.created_at, EmailRow.id)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).all()


async def is_verified_address(session: Session, address_key: str) -> bool:
    """Whether some account has verified this address."""
    query = select(EmailRow.id).where(EmailRow.address_key == address_key, EmailRow.verified_at.is_not(None))
    return await session.scalar(query) is not None


async def has_verified_email(session: Session, user_id: UUID) -> bool:
    """Whether a user has verified an address."""
    query = select(EmailRow.id).where(EmailRow.user_id == user_id, EmailRow.verified_at.is_not(None)).limit(1)
    return await session.scalar(query) is not None


async def credentials(session: Session, address_key: str) -> Row[UUID, str | None] | None:
    """The id and password hash of the user who has verified this address."""
    query = (
        select(UserRow.id, UserRow.password_hash)
        .join(EmailRow, EmailRow.user_id == UserRow.id)
        .where(EmailRow.address_key == address_key, EmailRow.verified_at.is_not(None))
    )
    return (await session.execute(query)).one_or_none()


async def lock_password(session: Session, user_id: UUID, password_hash: str) -> bool:
    """Whether this is still the user's password; if so it stays until the transaction ends."""
    query = select(UserRow.id).where(UserRow.id == user_id, UserRow.password_hash == password_hash)
    return await session.scalar(query.with_for_update()) is not None


async def lock_joining_user(session: Session, user_id: UUID) -> bool:
    """Whether there is this user, who joins one workspace after the other from here to the end of the transaction."""
    query = select(UserRow.id).where(UserRow.id == user_id).with_for_update(key_share=True)
    return await session.scalar(query) is not None


async def password_of(session: Session, user_id: UUID) -> str | None:
    """The password hash of a user who has one."""
    return await session.scalar(select(UserRow.password_hash).where(UserRow.id == user_id))


async def set_password(session: Session, user_id: UUID, password_hash: str) -> None:
    """Keep this hash from now on."""
    await session.execute(
        update(UserRow)
        .where(UserRow.id == user_id)
        .values(password_hash=password_hash)
        .execution_options(synchronize_session=False)
    )


async def add_sign_up(session: Session, row: SignUpRow) -> None:
    """Keep a sign-up until its link is followed or has lapsed."""
    session.add(row)
    await session.flush()


async def take_sign_up(session: Session, token_hash: bytes, *, at: datetime) -> SignUpRow | None:
    """Take the sign-up whose link is followed at `at`, so that nobody can take it again; None when there is none, or it lapsed."""
    taken = (
        delete(SignUpRow)
        .where(SignUpRow.token_hash == token_hash, SignUpRow.expires_at > at)
        .returning(SignUpRow)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(taken)).one_or_none()
