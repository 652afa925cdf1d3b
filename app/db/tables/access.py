"""API keys and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Kept, PrimaryId


class ApiKeyRow(Base):
    """A key for programs. Without a workspace it is a service key of the host product.

    One that was revoked stays, so that the audit log can still name it. `created_by` is the owner who made it, by bare id; None for
    a service key.
    """

    __tablename__ = "api_keys"
    erasure = Erased(workspace="workspace_id")

    id: Mapped[PrimaryId]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEventRow(Base):
    """What was done in a workspace. Users and keys are named by bare id, so that the log holds no personal data and outlives them.

    `actor_label` is for what is neither. `subject_user_id` is the person it was done to, such as the member removed.
    """

    __tablename__ = "audit_events"
    erasure = Kept("who did what, by ids; what was before and after is blanked with the workspace")
    __table_args__ = (
        CheckConstraint("num_nonnulls(actor_user_id, actor_key_id, actor_label) = 1", name="one_actor"),
        Index("audit_events_workspace_id_at_idx", "workspace_id", "at"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[PrimaryId]
    at: Mapped[datetime]
    actor_user_id: Mapped[UUID | None]
    actor_key_id: Mapped[UUID | None]
    actor_label: Mapped[str | None]
    subject_user_id: Mapped[UUID | None]
    action: Mapped[str]
    summary: Mapped[str]
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
