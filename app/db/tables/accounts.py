"""People and what is theirs: users, addresses, sign-ups, sessions, workspaces, memberships, handles, phones, keys, the audit log.

Times that security depends on (sessions, links, codes, limits) are the wall's; all others are the product's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, PrimaryId


class UserRow(Base):
    """A person. The handle is that of the personal workspace; without `password_hash` the person signs in elsewhere."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("visibility IN ('PUBLIC', 'PRIVATE')", name="visibility"),)

    id: Mapped[PrimaryId]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    company: Mapped[str | None]
    job_title: Mapped[str | None]
    bio: Mapped[str | None]
    visibility: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]


class EmailRow(Base):
    """An address of a user. `address_key` is what addresses are compared by; only verified ones are unique."""

    __tablename__ = "emails"
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
    created_at: Mapped[datetime]


class SignUpRow(Base):
    """Someone who asked for an account and has not followed the mailed link yet; any number may wait for one address."""

    __tablename__ = "sign_ups"

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
    """A signed-in browser or program. Ending it deletes the row."""

    __tablename__ = "sessions"

    id: Mapped[PrimaryId]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)


class WorkspaceRow(Base):
    """What gets billed. Usage periods are counted from `created_at` until there is a subscription."""

    __tablename__ = "workspaces"
    __table_args__ = (
        CheckConstraint("kind IN ('PERSONAL', 'ORGANIZATION')", name="kind"),
        Index(
            "workspaces_personal_created_by_key", "created_by", unique=True, postgresql_where=text("kind = 'PERSONAL'")
        ),
    )

    id: Mapped[PrimaryId]
    kind: Mapped[str]
    name: Mapped[str]
    handle: Mapped[str]
    external_id: Mapped[str | None] = mapped_column(unique=True)
    # a bare id: who created a workspace is remembered longer than the account
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    version: Mapped[int]


class MembershipRow(Base):
    """Who belongs to a workspace, and as what."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name="role"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str]
    joined_at: Mapped[datetime]


class HandleRow(Base):
    """A handle in use, in lower case: the one place where they are unique, for users and organizations alike."""

    __tablename__ = "handles"
    __table_args__ = (CheckConstraint("key = lower(key)", name="lower_case"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    # deferred: a workspace is named after the handle that was still free, so the handle is claimed first
    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), unique=True
    )


class PhoneRow(Base):
    """The number verified for a workspace: a keyed hash and the last digits, never the number."""

    __tablename__ = "phones"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    number_hash: Mapped[bytes] = mapped_column(LargeBinary)
    last_digits: Mapped[str]
    verified_at: Mapped[datetime]


class PhoneUseRow(Base):
    """A workspace that a number ever verified. There are three slots a number, so a fourth workspace has no place."""

    __tablename__ = "phone_uses"
    __table_args__ = (
        CheckConstraint("slot BETWEEN 1 AND 3", name="slot"),
        Index("phone_uses_number_hash_workspace_id_key", "number_hash", "workspace_id", unique=True),
    )

    number_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    # a bare id: the guard outlives the workspace
    workspace_id: Mapped[UUID]
    used_at: Mapped[datetime]


class PhoneCheckRow(Base):
    """A code on its way to a number for a workspace, whoever made the code: how often it was tried, and until when it counts."""

    __tablename__ = "phone_checks"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    number_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tries: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ApiKeyRow(Base):
    """A key for programs. Without a workspace it is a service key of the host product."""

    __tablename__ = "api_keys"

    id: Mapped[PrimaryId]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class RateLimitRow(Base):
    """When something limited was done lately. `key` is a keyed hash of what is limited and for whom."""

    __tablename__ = "rate_limits"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    hits: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AuditEventRow(Base):
    """What was done in a workspace. Users are named by bare id, so that the log holds no personal data and outlives them."""

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("(actor_user_id IS NULL) <> (actor_label IS NULL)", name="one_actor"),
        Index("audit_events_workspace_id_at_idx", "workspace_id", "at"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[PrimaryId]
    at: Mapped[datetime]
    actor_user_id: Mapped[UUID | None]
    actor_label: Mapped[str | None]
    action: Mapped[str]
    summary: Mapped[str]
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
