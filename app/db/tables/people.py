"""People: users and their addresses, sign-ups, mailed links and codes, sessions, identities at a provider, rate limits.

Times that security depends on (sessions, links, codes, limits) are the wall's; all others are the product's.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Hashed, Kept, PrimaryId


class UserRow(Base):
    """A person. The handle is that of the personal workspace; without `password_hash` the person signs in elsewhere.

    `avatar_digest` names the image in the storage, if one was uploaded.
    """

    __tablename__ = "users"
    erasure = Erased(person="id")
    __table_args__ = (CheckConstraint("visibility IN ('PUBLIC', 'PRIVATE')", name="visibility"),)

    id: Mapped[PrimaryId]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    company: Mapped[str | None]
    job_title: Mapped[str | None]
    bio: Mapped[str | None]
    visibility: Mapped[str]
    password_hash: Mapped[str | None]
    avatar_digest: Mapped[str | None]
    created_at: Mapped[datetime]


class AvatarLeftoverRow(Base):
    """An avatar whose images are to be erased from the storage at `due_at`: no user shows it any more, or its upload never ended.

    After the first of `tries` no upload can take it back. The digest is a random name that tells of nobody.
    """

    __tablename__ = "avatar_leftovers"
    erasure = Kept("which images are still to be erased, by their random names, until they are")

    digest: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
    tries: Mapped[int]


class EmailRow(Base):
    """An address of a user. `address_key` is what addresses are compared by; only verified ones are unique.

    `vouched_by` is the issuer by whose word alone it is verified; None for an address that its holder proved by a mailed link.
    """

    __tablename__ = "emails"
    erasure = Erased(person="user_id")
    __table_args__ = (
        CheckConstraint("NOT is_primary OR verified_at IS NOT NULL", name="primary_is_verified"),
        Index(
            "emails_verified_address_key", "address_key", unique=True, postgresql_where=text("verified_at IS NOT NULL")
        ),
        Index("emails_primary_user_id_key", "user_id", unique=True, postgresql_where=text("is_primary")),
        Index("emails_user_id_address_key_key", "user_id", "address_key", unique=True),
    )

    id: Mapped[PrimaryId]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    address: Mapped[str]
    address_key: Mapped[str]
    is_primary: Mapped[bool]
    verified_at: Mapped[datetime | None]
    vouched_by: Mapped[str | None]
    created_at: Mapped[datetime]


class SignUpRow(Base):
    """Someone who asked for an account and has not followed the mailed link yet; any number may wait for one address."""

    __tablename__ = "sign_ups"
    erasure = Erased(address="address_key")

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    address: Mapped[str]
    address_key: Mapped[str]
    password_hash: Mapped[str]
    handle: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SessionRow(Base):
    """A signed-in browser or program. Ending it deletes the row.

    `cookie_renewed_at` is when its cookie was last sent again after signing in, if it ever was.
    """

    __tablename__ = "sessions"
    erasure = Erased(person="user_id")

    id: Mapped[PrimaryId]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)
    cookie_renewed_at: Mapped[datetime | None]


class MailedLinkRow(Base):
    """A link on its way to a user: it verifies the address `email_id`, or, without one, resets the password."""

    __tablename__ = "mailed_links"
    erasure = Erased(person="user_id")

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email_id: Mapped[UUID | None] = mapped_column(ForeignKey("emails.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ReauthenticationCodeRow(Base):
    """The code mailed last to a user without a password, as a keyed hash, and how often it was tried."""

    __tablename__ = "reauthentication_codes"
    erasure = Erased(person="user_id")

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    tries: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class IdentityRow(Base):
    """A user as an identity provider knows them: its issuer and, there, the subject.

    `email_told_at` is when the newest token was issued that told the account's address here (the wall's time).
    """

    __tablename__ = "identities"
    erasure = Erased(person="user_id")

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email_told_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ErasedIdentityRow(Base):
    """An identity whose account was deleted: a token issued before that must not bring the account back."""

    __tablename__ = "erased_identities"
    erasure = Hashed("a token issued before its account was deleted opens no new one, for as long as tokens live")

    identity_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    erased_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
