"""Workspaces: who belongs to them, the handles they go by, their phones and keys, the audit log.

Times that security depends on (sessions, links, codes, limits) are the wall's; all others are the product's.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Hashed, PrimaryId


class WorkspaceRow(Base):
    """What gets billed.

    Usage periods are counted from `created_at` until the first subscription: from the period that was running at
    `usage_anchored_at` on they are counted from `usage_anchor`, its start.
    """

    __tablename__ = "workspaces"
    erasure = Erased(workspace="id")
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
    usage_anchor: Mapped[datetime | None]
    usage_anchored_at: Mapped[datetime | None]
    version: Mapped[int]


class MembershipRow(Base):
    """Who belongs to a workspace, and as what."""

    __tablename__ = "memberships"
    erasure = Erased(person="user_id", workspace="workspace_id")
    __table_args__ = (CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name="role"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str]
    joined_at: Mapped[datetime]


class InvitationRow(Base):
    """An invitation to a workspace, bound to an address.

    One that was accepted stays for 90 days, without the address: sent again, the same acceptance is known by its
    `idempotency_key`.
    """

    __tablename__ = "invitations"
    erasure = Erased(workspace="workspace_id", address="address_key")
    __table_args__ = (
        CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name="role"),
        CheckConstraint(
            "(accepted_by IS NULL) = (idempotency_key IS NULL) AND (accepted_by IS NULL) = (accepted_at IS NULL)",
            name="accepted",
        ),
        CheckConstraint("accepted_by IS NOT NULL OR num_nulls(address, address_key) = 0", name="open_has_address"),
        Index(
            "invitations_open_address_key",
            "workspace_id",
            "address_key",
            unique=True,
            postgresql_where=text("accepted_by IS NULL"),
        ),
        Index(
            "invitations_accepted_by_idempotency_key_key",
            "accepted_by",
            "idempotency_key",
            unique=True,
            postgresql_where=text("accepted_by IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[PrimaryId]
    address: Mapped[str | None]
    address_key: Mapped[str | None]
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    # bare ids: neither account need outlive the invitation
    invited_by: Mapped[UUID]
    accepted_by: Mapped[UUID | None]
    accepted_at: Mapped[datetime | None]
    idempotency_key: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class HandleRow(Base):
    """A handle in use, in lower case: the one place where they are unique, for users and organizations alike."""

    __tablename__ = "handles"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (CheckConstraint("key = lower(key)", name="lower_case"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    # deferred: a workspace is named after the handle that was still free, so the handle is claimed first
    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), unique=True
    )


class HandleHoldRow(Base):
    """A handle that was freed: until `held_until` only the workspace that had it may take it again."""

    __tablename__ = "handle_holds"
    erasure = Hashed("a freed handle is kept from everybody else for a time")

    handle_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    # a bare id: the guard outlives the workspace
    workspace_id: Mapped[UUID]
    held_until: Mapped[datetime] = mapped_column(index=True)


class PhoneRow(Base):
    """The number verified for a workspace: a keyed hash and the last digits, never the number."""

    __tablename__ = "phones"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    number_hash: Mapped[bytes] = mapped_column(LargeBinary)
    last_digits: Mapped[str]
    verified_at: Mapped[datetime]


class PhoneUseRow(Base):
    """A workspace that a number ever verified. There are three slots a number, so a fourth workspace has no place."""

    __tablename__ = "phone_uses"
    erasure = Hashed("one number verifies three workspaces at most, whoever has it and whatever was deleted")
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
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    number_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tries: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)
