"""Deletions of accounts and organizations that are under way."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Kept, PrimaryId


class DeletionRow(Base):
    """A deletion under way: of the account `user_id`, or of the workspace `workspace_id`; `requested_by` is who asked for it.

    `workspace_ids` are the workspaces that it deletes. They are closed for as long as any deletion with them is under way. From
    `irreversible_at` on it can't be cancelled, since customers at the provider may be gone. `next_check_at` is when the worker
    resumes it.
    """

    __tablename__ = "deletions"
    erasure = Kept("an interrupted deletion is resumed, and the row is removed at its end: ids only")
    __table_args__ = (CheckConstraint("num_nonnulls(user_id, workspace_id) = 1", name="one_kind"),)

    id: Mapped[PrimaryId]
    user_id: Mapped[UUID | None] = mapped_column(unique=True)
    workspace_id: Mapped[UUID | None] = mapped_column(unique=True)
    workspace_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    requested_by: Mapped[UUID]
    next_check_at: Mapped[datetime] = mapped_column("next_look_at", index=True)
    irreversible_at: Mapped[datetime | None] = mapped_column("settled_at")
    created_at: Mapped[datetime]
