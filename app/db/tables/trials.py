"""Who has had a free trial, and who asked the sellers to talk to them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Hashed


class TrialUseRow(Base):
    """Somebody who has had a free trial, or was refused one: known again by their account, or by an address that it verified."""

    __tablename__ = "trial_uses"
    erasure = Hashed("one free trial for each person, whoever deletes and opens accounts; for three years")

    identity_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    kept_until: Mapped[datetime] = mapped_column(index=True)


class SalesRequestRow(Base):
    """Somebody asked the sellers to talk to them about a workspace. `message` is what they wrote, if anything."""

    __tablename__ = "sales_requests"
    erasure = Erased(person="user_id", workspace="workspace_id")
    __table_args__ = (
        Index("sales_requests_user_id_idx", "user_id"),
        Index("sales_requests_created_at_idx", "created_at"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    message: Mapped[str | None]
    created_at: Mapped[datetime]
