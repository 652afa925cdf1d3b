"""Rate limits: when limited things were done lately."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Hashed


class RateLimitRow(Base):
    """When something limited was done lately. `key` is a keyed hash of what is limited and for whom."""

    __tablename__ = "rate_limits"
    erasure = Hashed("how often something was tried, for a day at most")

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    hits: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    expires_at: Mapped[datetime] = mapped_column(index=True)
