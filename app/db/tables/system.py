"""Tables of the running system itself: the clock of development and the secrets it made for itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Interval, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Kept


class ClockOffsetRow(Base):
    """How far development has moved the product's time forward; one row at most."""

    __tablename__ = "clock_offset"
    erasure = Kept("the clock of development")

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ahead: Mapped[timedelta] = mapped_column(Interval)


class SystemSecretRow(Base):
    """A secret that Stripe handed out once, such as a webhook endpoint's, encrypted with a key derived from `SECRET_KEY`."""

    __tablename__ = "system_secrets"
    erasure = Kept("the program's own secrets")

    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    external_id: Mapped[str]
    created_at: Mapped[datetime]
