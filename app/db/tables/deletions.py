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

    `workspace_ids` are closed for as long as it is under way: it takes them along, and others may take them too. From `irreversible_at`
    on there is no way back: customers at the provider may be gone.
    """

    __tablename__ = "deletions"
    erasure = Kept("a deletion cut short is gone on with, and the row goes at its end: ids only")
    __table_args__ = (CheckConstraint("num_nonnulls(user_id, workspace_id) = 1", name="one_kind"),)

    id: Mapped[PrimaryId]
    user_id: Mapped[UUID | None] = mapped_column(unique=True)
    workspace_id: Mapped[UUID | None] = mapped_column(unique=True)
    workspace_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    requested_by: Mapped[UUID]
    next_check_at: Mapped[datetime] = mapped_column("next_look_at", index=True)
    irreversible_at: Mapped[datetime | None] = mapped_column("settled_at")
    created_at: Mapped[datetime]
